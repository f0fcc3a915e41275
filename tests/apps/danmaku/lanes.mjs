// Plays cases on the page's stage: node lanes.mjs FOLDER < CASES
//
// A case is [options, [[start, width], …]]. Prints for each the lanes that it got: numbers, null, or
// "error", after which it stops.

import { readFileSync } from "node:fs";
import { pathToFileURL } from "node:url";

const { Stage } = await import(pathToFileURL(`${process.argv[2]}/stage.js`));

function play([options, comments]) {
  try {
    const stage = new Stage(options);
    const lanes = [];
    for (const [start, width] of comments === "error" ? [] : comments) {
      try {
        lanes.push(stage.place(start, width));
      } catch (error) {
        if (!(error instanceof RangeError)) throw error;
        return [...lanes, "error"];
      }
    }
    return lanes;
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    return "error";
  }
}

console.log(JSON.stringify(JSON.parse(readFileSync(0)).map(play)));
