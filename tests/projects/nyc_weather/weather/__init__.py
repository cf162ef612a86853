"""A year of hourly weather at New York's airports, summed up by day, month and airport."""
