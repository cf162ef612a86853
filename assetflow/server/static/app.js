// The list of assets with their states: read from the API, and again whenever the event stream tells of something new.

const element = (id) => document.getElementById(id);

async function read(path) {
  const response = await fetch(path);
  const found = await response.json();
  if (!response.ok) throw new Error(found.error.message);
  return found;
}

async function everything(path, name) {
  const rows = [];
  let after = null;
  do {
    const page = await read(path + (after === null ? "" : `?after=${encodeURIComponent(after)}`));
    rows.push(...page[name]);
    after = page.next;
  } while (after !== null);
  return rows;
}

function stateOf(counts) {
  const order = ["failed", "waiting", "missing", "stale"];
  const told = order.filter((state) => counts[state]).map((state) => `${counts[state]} ${state}`);
  return told.length ? told.join(", ") : "up to date";
}

function row(...texts) {
  const line = document.createElement("tr");
  for (const text of texts) {
    const cell = document.createElement("td");
    cell.textContent = text;
    line.append(cell);
  }
  return line;
}

async function show() {
  const [server, load] = await Promise.all([read("/api/server"), read("/api/load")]);
  element("name").textContent = server.name;
  document.title = `${server.name} – assetflow`;
  element("error").hidden = load.error === null;
  element("error").textContent = load.error === null ? "" : [load.error.message, load.error.hint ?? ""].join("\n");
  const kept = load.error !== null && load.current !== null ? "; shown is the last graph that could be loaded" : "";
  element("load").textContent = `${load.error === null ? "Loaded" : "Broken"} ${new Date(load.at).toLocaleTimeString()}${kept}`;
  if (load.current === null) return;
  const [graph, status] = await Promise.all([read("/api/graph"), everything("/api/status", "assets")]);
  const counts = new Map(status.map((each) => [each.asset, each.partitions]));
  element("assets").replaceChildren(
    ...graph.nodes.map((node) => {
      const found = counts.get(node.asset);
      return row(node.asset, found ? stateOf(found) : "", found ? String(found.total) : "", node.upstream.join(", "));
    }),
  );
}

let showing = Promise.resolve();
let wanted = false;

function refresh() {
  if (wanted) return;
  wanted = true;
  showing = showing.then(async () => {
    wanted = false;
    try {
      await show();
    } catch (problem) {
      element("load").textContent = `Not up to date: ${problem.message}`;
    }
  });
}

const stream = new EventSource("/api/events");
for (const kind of ["hello", "resync", "loaded", "broken", "stale", "store", "run"]) {
  stream.addEventListener(kind, refresh);
}
stream.onerror = () => {
  element("load").textContent = "The server does not answer; trying again.";
};
refresh();
