"""From a project's folder to what runs take: settings, definitions, code versions, the bound setting."""
