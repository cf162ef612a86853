"""What people and programs read, session by session; the transcripts are in ``golden/``."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.cli.conftest import Session


def test_first_steps(session: Session) -> None:
    for command in ("validate", "list", "graph", "plan", "status", "materialize", "plan", "materialize", "status"):
        session.run(command)


def test_a_changed_rule(session: Session) -> None:
    session.run("materialize")
    session.edit("till/rules.py", "> 0", ">= 5")
    session.run("plan")
    session.run("plan --explain --select +takings --partition 2024-02")
    session.run("plan --workers 4 --select +takings --partition 2024-02")
    session.run("plan --select best --fail-if-stale")
    session.run("plan --select takings --fail-if-stale")
    session.run("why sales@2024-02-01")
    session.run("why takings@2024-02-01")
    session.run("why takings")
    session.run("why best")
    session.run("materialize --dry-run --select sales --from 2024-01-31 --to 2024-02-01")
    session.run("materialize")
    session.edit("till/rules.py", ">= 5", "> 0")
    session.run("plan")
    session.run("materialize")


def test_a_changed_file(session: Session) -> None:
    session.run("materialize")
    session.write("incoming/2024-02-01.txt", "coffee 9\ncake 6\n")
    session.run("plan --no-observe")
    session.run("plan")
    session.run("why takings@2024-02-01 --no-observe")
    session.run("materialize")
    session.run("versions takings@2024-02-01")


def test_a_missing_file(session: Session) -> None:
    session.delete("incoming/2024-01-31.txt")
    session.run("plan")
    session.run("materialize")
    session.run("why sales@2024-01-31")
    session.run("status")
    session.run("plan")
    session.run("plan --fail-if-stale")


def test_late_data(session: Session) -> None:
    decorated = '@asset(partitions=days, group="daily")\ndef takings'
    tolerant = (
        '@asset(partitions=days, group="daily", inputs={"sales": Input("sales", late_tolerance="3d")})\ndef takings'
    )
    session.edit("till/assets.py", "    DailyPartitions,\n", "    DailyPartitions, Input,\n")
    session.edit("till/assets.py", decorated, tolerant)
    session.run("materialize")
    session.write("incoming/2024-02-01.txt", "coffee 9\ncake 6\n")
    session.run("plan")
    session.run("materialize")
    session.run("plan")
    session.run("materialize")
    session.run("why takings@2024-02-01")
    session.run("why takings")
    session.run("status")
    session.run("plan --include-late --select takings --json")
    session.run("materialize --include-late")


def test_a_running_total(session: Session) -> None:
    session.edit("till/assets.py", "    DailyPartitions,\n", "    DailyPartitions, Input, TimeWindow,\n")
    decorated = '@asset(partitions=days, group="daily")\ndef takings(sales: pa.Table)'
    running = '@asset(partitions=days, inputs={"takings": Input("takings", TimeWindow(-1, -1))})\n'
    session.edit("till/assets.py", decorated, f"{running}def takings(sales: pa.Table, takings: dict[str, int])")
    session.run("graph")
    session.run("materialize")
    session.write("incoming/2024-01-31.txt", "coffee 9\ncake 6\n")
    session.run("plan --explain")
    session.run("why takings@2024-02-02")
    session.run("materialize")
    session.run("lineage takings@2024-01-31")
    session.delete("incoming/2024-01-31.txt")
    session.run("why takings@2024-02-02")
    session.run("plan")


def test_a_failure(session: Session) -> None:
    session.write("incoming/2024-01-31.txt", "tea\n")
    session.run("materialize")
    session.run("status")
    session.run("why sales@2024-01-31")
    session.run("plan --no-retry-failed")
    session.run("plan")
    session.run("runs show LAST_RUN")
    session.run("runs")


def test_a_retry(session: Session) -> None:
    session.write("incoming/2024-01-31.txt", "tea\n")
    session.delete("incoming/2024-02-02.txt")
    session.run("materialize --select +takings")
    session.write("incoming/2024-01-31.txt", "tea 3\n")
    session.run("materialize --select sales --partition 2024-01-31")
    session.write("incoming/2024-02-02.txt", "cake 4\n")
    session.run("runs retry FIRST_RUN")
    session.run("runs show LAST_RUN")
    session.run("runs retry LAST_RUN")
    session.edit("till/rules.py", "> 0", ">= 5")
    session.run("runs retry FIRST_RUN")
    session.run("runs retry FIRST_RUN --all --json")
    session.run("runs")
    session.run("runs retry nowhere")


def test_two_runs(session: Session) -> None:
    session.run("materialize --select sales")
    session.write("incoming/2024-02-01.txt", "coffee 9\ncake 6\n")
    session.run("materialize --select +takings --partition 2024-02")
    session.run("explain FIRST_RUN LAST_RUN")
    session.run("explain FIRST_RUN LAST_RUN sales@2024-02-02")
    session.run("explain LAST_RUN FIRST_RUN takings --json")
    session.edit("till/rules.py", "> 0", ">= 5")
    session.run("materialize --force --select sales --partition 2024-01-31")
    session.run("materialize")
    session.run("explain FIRST_RUN LAST_RUN")
    session.run("explain LAST_RUN LAST_RUN")
    session.run("explain FIRST_RUN nowhere")
    session.run("explain FIRST_RUN LAST_RUN takins")
    session.run("explain FIRST_RUN LAST_RUN takings@2024-03-01")


def test_a_refused_version(session: Session) -> None:
    session.run("materialize")
    session.write("incoming/2024-02-02.txt", "cake 5000\n")
    session.run("materialize")
    session.run("why sales@2024-02-02")
    session.run("versions sales@2024-02-02")
    session.run("show sales@2024-02-02")
    session.edit("till/assets.py", "<= 1000", "<= 9000")
    session.run("plan")
    session.run("materialize")


def test_asking(session: Session) -> None:
    session.run("materialize")
    session.run("show sales@2024-02-01")
    session.run("show sales --limit 2")
    session.run("show takings@2024-02-01")
    session.run("show best")
    session.run("show receipts@2024-02-01")
    session.run("query 'select article, sum(amount) as amount from data.sales group by all order by article'")
    session.run("query 'select asset, partition, state from partitions order by all' --limit 3")
    session.run("query 'select 1 as one where false'")
    session.run("lineage best")
    session.run("lineage takings@2024-02-01")
    session.run("lineage sales --downstream --depth 1")
    session.run("lineage receipts")


def test_going_back(session: Session) -> None:
    session.run("materialize")
    session.write("incoming/2024-02-01.txt", "coffee 9\ncake 6\n")
    session.run("materialize --select +takings")
    session.run("rollback sales@2024-02-01 --to 7 --with-downstream")
    session.run("why sales@2024-02-01")
    session.run("plan")
    session.edit("till/rules.py", "int(line.split()[1])", "int(line.split()[-1])")
    session.run("plan --select sales --partition 2024-02-01")
    session.run("accept sales --reason 'the amount is the last word of every line'")
    session.run("plan --select sales")


def test_freshness(session: Session) -> None:
    session.run("plan --due")
    session.edit("till/assets.py", "DailyPartitions,\n    Out,", "DailyPartitions,\n    FreshnessPolicy,\n    Out,")
    session.edit("till/assets.py", '"worst": Out()}', '"worst": Out()}, freshness_policy=FreshnessPolicy(max_lag="2h")')
    session.run("plan --due")
    session.run("plan --due --select best")
    session.run("status --select status:late")
    session.run("materialize --due --dry-run")
    session.run("materialize --due")
    session.run("status")
    session.run("plan --due")
    session.run("materialize --due")
    session.run("plan --due --json")
    session.run("materialize --due --force")
    session.edit("till/assets.py", 'max_lag="2h"', 'max_lag="2 hours", timezone="Berlin"')
    session.run("validate")


def test_an_unobserved_source(session: Session) -> None:
    session.run("materialize")
    session.edit("till/assets.py", "return {path.stem", "raise OSError('no answer')\n    return {path.stem")
    session.run("plan")
    session.run("status --select takings")
    session.run("plan --strict-observe")
    session.run("why takings --strict-observe --json")
    session.run("plan --no-observe")


def test_mistakes(session: Session) -> None:
    session.run("why takins")
    session.run("why takings@2024-03-01")
    session.run("why takings@")
    session.run("plan --select 'sales and'")
    session.run("plan --select takins")
    session.run("plan --partition 2024-03-01")
    session.run("plan --soon")
    session.run("materialize --executor threads")
    session.run("materialize --workers 4")
    session.run("plan --workers none")
    session.run("show sales")
    session.run("rollback sales --to 999")
    session.run("accept sales@2024-02-01 --reason x")
    session.run("query 'select * from sale'")
    session.run("runs")
    session.run("runs show nowhere")
    session.run("status --project elsewhere")
    session.edit("till/assets.py", "def takings(sales: pa.Table)", "def takings(sails: pa.Table, sales: pa.Table)")
    session.run("validate")
    session.edit("till/rules.py", "return amount(line) > 0", "return amount(line) >")
    session.run("plan")
    session.edit("till/rules.py", "return amount(line) >", "raise ValueError\n\n\nraise KeyError('x')")
    session.run("plan")


def test_documents(session: Session) -> None:
    session.run("validate --json")
    session.run("list --json")
    session.run("graph --json")
    session.run("plan --select +takings --json")
    session.run("materialize --json")
    session.run("materialize --json")
    session.run("status --select takings --json")
    session.write("incoming/2024-02-01.txt", "coffee\n")
    session.run("plan --json")
    session.run("why takings --json")
    session.run("why takings@2024-02-01 --json")
    session.run("materialize --json")
    session.run("versions best --json")
    session.run("lineage takings@2024-02-01 --json")
    session.run("query \"select 'a' as letter, 1.5 as number, date '2024-01-31' as day, 'nan'::double as nan\" --json")
    session.run("show best --json")
    session.run("show sales@2024-01-30 --json")
    session.run("rollback sales@2024-01-30 --to 5 --json")
    session.run("accept sales --reason x --json")
    session.run("why takins --json")
    session.run("plan --soon --json")
    session.edit("till/assets.py", "def takings(sales: pa.Table)", "def takings(sails: pa.Table, sales: pa.Table)")
    session.run("validate --json")
