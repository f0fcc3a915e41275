// The page of a scoreboard: the match of the server that the page came from. ?trains=6 adds viewers
// that pass tunnels.

import { Viewer, renderScores, renderTrains } from "./scores.js";

const main = document.querySelector("main");
renderScores(new Viewer(ownServer()), main);
const trains = Math.min(20, Number(new URLSearchParams(location.search).get("trains")) || 0);
if (trains) renderTrains(Array.from({ length: trains }, () => new Viewer(ownServer())), main);
