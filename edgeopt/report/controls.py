"""A box to search the drawn graph by and buttons that enlarge it: a few lines of script in the page, which nothing else needs."""

from __future__ import annotations

SCRIPT = """
<script>
(function () {
  var box = document.getElementById('find'), told = document.getElementById('found');
  var picture = document.querySelector('#graph svg');
  if (!box || !picture) return;
  var nodes = [].slice.call(picture.querySelectorAll('g')), wide = 30;
  box.addEventListener('input', function () {
    var words = box.value.toLowerCase(), hits = [];
    nodes.forEach(function (node) {
      var hit = words && node.textContent.toLowerCase().indexOf(words) >= 0;
      node.classList.toggle('hit', !!hit);
      node.classList.toggle('dim', !!words && !hit);
      if (hit) hits.push(node);
    });
    told.textContent = words ? hits.length + ' of ' + nodes.length + ' nodes' : '';
    if (hits.length) hits[0].scrollIntoView({block: 'nearest'});
  });
  [['larger', 1.25], ['smaller', 0.8]].forEach(function (pair) {
    document.getElementById(pair[0]).addEventListener('click', function () {
      wide = Math.min(120, Math.max(8, wide * pair[1]));
      picture.style.maxWidth = 'none';
      picture.style.width = wide + 'rem';
    });
  });
})();
</script>
"""
STYLE = """
.tools{display:flex;flex-wrap:wrap;gap:.5rem;align-items:center;margin:.3rem 0}
.tools input,.tools button{font:inherit;color:var(--ink);background:var(--paper);border:1px solid var(--line)}
.tools input,.tools button{border-radius:4px;padding:.2rem .5rem}
#graph{max-height:36rem;overflow:auto;border:1px solid var(--line);border-radius:6px;padding:.4rem}
#graph g.dim{opacity:.25}#graph g.hit rect{stroke:var(--bad);stroke-width:3}
@media print{.tools{display:none}#graph{max-height:none;overflow:visible;border:0}}
"""


def controls(picture: str) -> str:
    """The ``picture`` of a graph in a frame of its own, with what searches and enlarges it."""
    tools = (
        '<div class="tools"><label>search <input id="find" type="search" placeholder="name, operator or form"></label>'
        '<button id="larger" type="button">larger</button><button id="smaller" type="button">smaller</button>'
        '<span id="found" class="soft" role="status"></span></div>'
    )
    return f'{tools}<div id="graph">{picture}</div>{SCRIPT}'
