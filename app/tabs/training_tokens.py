"""The tokens of a visitor's runs, in the browser's own store: only the visitor reads it, and all pages of a browser do.

Each event reads them anew and each change is written by itself, because another page may have started a run meanwhile.
"""

from __future__ import annotations

__all__ = ["KEEP", "MOST_TOKENS", "READ"]

MOST_TOKENS = 60
STORE = "mun-train-tokens"
STORED = f"""(() => {{
  try {{
    return JSON.parse(localStorage.getItem("{STORE}"));
  }} catch {{
    return {{}};
  }}
}})()"""

# Of an event: what is stored comes after the view. A browser that stores nothing knows the last change at least.
READ = f"(view, changed, ...rest) => [view, {{...changed, ...{STORED}}}, ...rest]"

# After an event: a change is a token by the name of its run, or nothing for a run that is gone.
KEEP = f"""(changed) => {{
  const kept = Object.entries({{...{STORED}, ...changed}}).filter(([, token]) => token !== null);
  try {{
    localStorage.setItem("{STORE}", JSON.stringify(Object.fromEntries(kept.slice(-{MOST_TOKENS}))));
  }} catch {{}}
}}"""
