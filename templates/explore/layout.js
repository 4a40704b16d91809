// Where the states of a graph are drawn: a column for each distance from the initial states, and in each column an order
// in which few edges cross (barycentres of the neighbours, swept to and fro: Sugiyama, Tagawa and Toda 1981).
// An edge leads at most one column to the right, so no edge runs through a column between.

const SWEEPS = 6;
const COLUMN_GAP = 72; // at least, and as much as labels need
const ROW_GAP = 26; // with room for a line above each

// nodes: numbers; successors: number → numbers; size: number → {width, height}; label: (from, to) → the width of what is
// written on an edge. Gives number → {x, y, column}, the middle.
function layered(nodes, roots, successors, size, label) {
  const columns = columnsOf(nodes, roots, successors);
  const neighbours = new Map(nodes.map((node) => [node, []]));
  const columnOf = new Map(columns.flatMap((column, place) => column.map((node) => [node, place])));
  for (const node of nodes) {
    for (const target of successors(node)) {
      if (columnOf.get(target) !== columnOf.get(node)) {
        neighbours.get(node).push(target);
        neighbours.get(target).push(node);
      }
    }
  }
  order(columns, columnOf, neighbours);
  const gaps = columns.map((column, place) => {
    const ahead = (node) => successors(node).filter((target) => columnOf.get(target) === place + 1);
    return Math.max(COLUMN_GAP, ...column.flatMap((node) => ahead(node).map((target) => label(node, target) + 24)));
  });
  return placed(columns, gaps, neighbours, columnOf, size);
}

function columnsOf(nodes, roots, successors) {
  const depth = new Map();
  let column = roots.filter((root) => nodes.includes(root));
  const columns = [];
  const left = new Set(nodes);
  while (left.size > 0) {
    // What no root leads to is drawn as if it were one.
    if (column.length === 0) column = [left.values().next().value];
    for (const node of column) {
      depth.set(node, columns.length);
      left.delete(node);
    }
    columns.push(column);
    const next = new Set(column.flatMap((node) => successors(node)).filter((target) => left.has(target)));
    column = [...next];
  }
  return columns;
}

function order(columns, columnOf, neighbours) {
  const rank = new Map();
  const number = (column) => column.forEach((node, place) => rank.set(node, place));
  columns.forEach(number);
  for (let sweep = 0; sweep < SWEEPS; sweep += 1) {
    const forth = sweep % 2 === 0;
    const sequence = forth ? columns : [...columns].reverse();
    for (const column of sequence) {
      const beside = columnOf.get(column[0]) + (forth ? -1 : 1);
      const centre = new Map(
        column.map((node) => {
          const ranks = neighbours.get(node).filter((each) => columnOf.get(each) === beside).map((each) => rank.get(each));
          return [node, ranks.length ? ranks.reduce((sum, each) => sum + each, 0) / ranks.length : rank.get(node)];
        }),
      );
      column.sort((one, two) => centre.get(one) - centre.get(two) || rank.get(one) - rank.get(two));
      number(column);
    }
  }
}

function placed(columns, gaps, neighbours, columnOf, size) {
  const found = new Map();
  let x = 0;
  columns.forEach((column, place) => {
    const width = Math.max(...column.map((node) => size(node).width));
    // Each as near to the middle of its neighbours on the left as those above it leave room.
    const wished = column.map((node) => {
      const left = neighbours.get(node).filter((each) => columnOf.get(each) === place - 1).map((each) => found.get(each).y);
      return left.length ? left.reduce((sum, each) => sum + each, 0) / left.length : null;
    });
    let bottom = -Infinity;
    const ys = column.map((node, row) => {
      const { height } = size(node);
      const least = bottom === -Infinity ? -Infinity : bottom + ROW_GAP + height / 2;
      const y = Math.max(wished[row] === null ? (least === -Infinity ? 0 : least) : wished[row], least);
      bottom = y + height / 2;
      return y;
    });
    const drift = mean(ys) - mean(wished.map((wish, row) => (wish === null ? ys[row] : wish)));
    column.forEach((node, row) => found.set(node, { x: x + width / 2, y: ys[row] - drift, column: place }));
    x += width + gaps[place];
  });
  return found;
}

const mean = (numbers) => numbers.reduce((sum, each) => sum + each, 0) / numbers.length;
