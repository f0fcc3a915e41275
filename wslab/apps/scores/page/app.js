// The match of a scoreboard. On a page, ?trains=6 adds viewers that pass tunnels.

import { Viewer, renderScores, renderTrains } from "./scores.js";

export default application("Live score", (url, root, { trains }) => {
  const end = renderScores(new Viewer(url), root);
  const count = Math.min(20, Number(trains) || 0);
  if (count) renderTrains(Array.from({ length: count }, () => new Viewer(url)), root);
  return end;
});
