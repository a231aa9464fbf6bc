"""How the report looks."""

STYLE = """
:root { color-scheme: light dark; --paper: #f7f7f5; --card: #ffffff; --ink: #23272f; --soft: #6a717d; --rule: #e4e5e8;
  --grid: #eceef1; --up: #1f7a4d; --down: #b23b46; --accent: #3f7fd9; }
@media (prefers-color-scheme: dark) {
  :root { --paper: #14161a; --card: #1c1f25; --ink: #e4e6ea; --soft: #9aa1ad; --rule: #30343d; --grid: #2a2e36;
    --up: #5fc493; --down: #ee8890; --accent: #79a9f0; } }
* { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; }
body { margin: 0; background: var(--paper); color: var(--ink);
  font: 15px/1.55 system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', sans-serif; }
main { max-width: 1200px; margin: 0 auto; padding: 52px 24px 72px; }
h1 { font-size: 30px; line-height: 1.2; font-weight: 650; letter-spacing: -0.015em; margin: 0 0 32px; }
h2 { font-size: 18px; font-weight: 620; letter-spacing: -0.005em; margin: 44px 0 4px; }
p { margin: 0 0 8px; max-width: 76ch; }
p.lead { color: var(--soft); margin-bottom: 14px; }
section > .card { background: var(--card); border: 1px solid var(--rule); border-radius: 10px; padding: 18px 20px; }
.card + .card, .card + .charts { margin-top: 16px; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th { font-weight: 500; text-align: left; white-space: nowrap; }
thead th { color: var(--soft); font-size: 13px; }
td, th { padding: 7px 12px; }
.num { text-align: right; }
tbody tr { border-top: 1px solid var(--rule); }
.headline td, .headline th { padding: 9px 10px; }
.headline thead .versus { white-space: normal; font-size: 12px; line-height: 1.25; }
.headline thead th { padding-top: 3px; padding-bottom: 3px; vertical-align: bottom; }
.headline thead .group { color: var(--ink); font-weight: 620; text-align: center; }
.headline .group, .headline .first { border-left: 1px solid var(--rule); }
.headline tbody .first { font-size: 17px; }
.headline .best { font-weight: 700; }
.delta { color: var(--soft); }
.delta.up { color: var(--up); }
.delta.down { color: var(--down); }
.classes td, .classes th { padding: 4px 14px; font-size: 14px; }
.classes tbody tr { border-top: 1px solid var(--card); }
.classes { table-layout: fixed; min-width: 520px; }
.classes th:first-child { width: 180px; }
.classes thead th { overflow: hidden; text-overflow: ellipsis; }
.classes td { border-left: 1px solid var(--card); }
.classes td.best { font-weight: 700; box-shadow: inset 3px 0 0 var(--accent); }
.none, .missing { color: var(--soft); }
.swatch { display: inline-block; width: 12px; height: 12px; border-radius: 3px; margin-right: 9px;
  vertical-align: -1px; box-shadow: inset 0 0 0 1px rgba(128, 128, 128, 0.35); }
.notes { margin-top: 14px; padding-top: 12px; border-top: 1px solid var(--rule); color: var(--soft); font-size: 14px; }
.notes b { color: var(--ink); font-weight: 600; }
.legend { list-style: none; margin: 0; padding: 0; display: flex; flex-wrap: wrap; gap: 5px 20px; font-size: 13.5px; }
.charts { display: grid; grid-template-columns: repeat(auto-fill, minmax(330px, 1fr)); gap: 16px; }
.charts > div { background: var(--card); border: 1px solid var(--rule); border-radius: 10px; padding: 8px 6px 4px; }
svg { display: block; }
.pictures { display: grid; grid-template-columns: repeat(var(--columns), minmax(150px, 1fr)); gap: 5px; }
.pictures .column { font-size: 13px; font-weight: 600; overflow-wrap: anywhere; align-self: end; }
.pictures .sample { grid-column: 1 / -1; font-size: 12px; color: var(--soft); margin-top: 8px; }
.pictures img { display: block; width: 100%; height: auto; border-radius: 3px; }
.pictures .missing { display: grid; place-items: center; min-height: 60px; border: 1px dashed var(--rule);
  border-radius: 3px; }
.crisp { image-rendering: pixelated; }
.scale { margin: 14px 0 0; font-size: 13px; color: var(--soft); }
.scale .ramp { width: 160px; height: 10px; border-radius: 3px; margin: 0 8px; vertical-align: -1px; }
.card > .legend { margin-top: 16px; padding-top: 14px; border-top: 1px solid var(--rule); }
.card > .legend:first-child { margin-top: 0; padding-top: 0; border-top: 0; }
@media (max-width: 640px) { main { padding: 28px 14px 48px; } .charts { grid-template-columns: 1fr; } }
@media print { body { background: #fff; } section > .card, .charts > div { break-inside: avoid; } }
"""
