// Lanes over a picture, as `wslab/apps/danmaku/stage.py` has them.

/** Seconds between two starts in one lane, at least, so that they never collide.
 *  first, second: widths of the earlier and the later comment; stage: the width of the stage.
 *  Both ways to collide lead to the same form, so the wider comment decides. */
export function startDistance(first, second, { stage, seconds }) {
  const wider = Math.max(first, second);
  return (seconds * wider) / (stage + wider);
}

/** Comments cross a stage from right to left, each in the same number of seconds. */
export class Stage {
  constructor({ width, seconds, lanes }) {
    if (!(width > 0 && seconds > 0 && lanes > 0))
      throw new RangeError(`a stage of width ${width} for ${seconds} s with ${lanes} lanes: all must be positive`);
    Object.assign(this, { width, seconds });
    this.latest = -Infinity;
    this.lanes = Array(lanes).fill(null); // start and width of the last comment of each
  }

  /** Put a comment into the first lane that is free at its start; null if there is none. */
  place(start, width) {
    if (!(width >= 0 && start >= this.latest))
      throw new RangeError(`a comment of width ${width} starts at ${start} s, after one at ${this.latest} s`);
    this.latest = start;
    const lane = this.lanes.findIndex(
      (last) =>
        last === null ||
        start - last.start >= startDistance(last.width, width, { stage: this.width, seconds: this.seconds }),
    );
    if (lane < 0) return null;
    this.lanes[lane] = { start, width };
    return lane;
  }

  /** Where a comment's left edge is: the stage's width at its start, -width at the end. */
  leftEdge(start, width, now) {
    return this.width - ((this.width + width) * (now - start)) / this.seconds;
  }
}
