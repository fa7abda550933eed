"""How a model card looks: calm, readable at any width, light or dark as the reader's machine is."""

CSS = """
:root { color-scheme: light dark;
  --ink: #1d2430; --soft: #5b6676; --line: #d9dee6; --page: #fff; --tile: #f5f7fa }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e6e9ee; --soft: #9aa5b5; --line: #333b47; --page: #14181e; --tile: #1c222b }
}
* { box-sizing: border-box }
body { margin: 0; background: var(--page); color: var(--ink);
  font: 16px/1.55 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", sans-serif }
main { max-width: 62rem; margin: 0 auto; padding: 2rem 1.25rem 4rem }
h1 { font-size: 2rem; line-height: 1.2; margin: 0 0 .5rem; letter-spacing: -.01em }
h2 { font-size: 1.15rem; margin: 2.75rem 0 .75rem; padding-top: .75rem; border-top: 1px solid var(--line) }
p { margin: .5rem 0; max-width: 46rem }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .25rem 1.25rem; margin: 1rem 0;
  font-size: .9rem }
dt { color: var(--soft) } dd { margin: 0; overflow-wrap: anywhere }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(7.6rem, 1fr)); gap: .75rem }
.tile { background: var(--tile); border-radius: .5rem; padding: .75rem .7rem;
  display: flex; flex-direction: column; justify-content: space-between }
.tile span { color: var(--soft); font-size: .85rem } .tile b { font-size: 1.5rem; font-weight: 600 }
.tile small { color: var(--soft); font-size: .78rem; white-space: nowrap; font-variant-numeric: tabular-nums }
.plots { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(20rem, 100%), 1fr)); gap: 1.25rem }
figcaption { color: var(--soft); font-size: .85rem; margin-bottom: .35rem }
figure { margin: 0 } svg { width: 100%; max-width: 34rem; height: auto; display: block }
svg text { font-family: inherit !important; fill: currentColor !important }
.wide { overflow-x: auto; margin: .75rem 0 }
table { border-collapse: collapse; font-size: .9rem; font-variant-numeric: tabular-nums }
th, td { text-align: left; padding: .3rem 1.5rem .3rem 0; border-bottom: 1px solid var(--line);
  white-space: nowrap }
th { color: var(--soft); font-weight: 500 }
summary { cursor: pointer; color: var(--soft); font-size: .9rem }
@media (max-width: 30rem) { dl { grid-template-columns: 1fr } dt { margin-top: .4rem } }
@media print { main { max-width: none; padding: 0 } section { break-inside: avoid } }
"""
