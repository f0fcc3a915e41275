// Fixes in a page: the binary form of places.py, and the model of motion that both sides share.

export const MAP = { lat: 31.23, lon: 121.47, block: 200, blocks: 25 }; // as in senders.py
export const RADIUS = 6_371_008.8; // metres, the mean radius of the earth
export const DEGREE = (RADIUS * Math.PI) / 180; // metres of one degree of latitude
const LOST = 30; // seconds of silence after which nobody believes the model
const PER_DEGREE = 2 ** 32 / 360;
const HEAD = 9;
const SIZE = 18;

/** Round to the nearest whole number, and a half up. `Math.round` differs for 0.49999999999999994. */
export function nearest(value) {
  return Math.floor(value + 0.5);
}

/** Write a fix in 18 bytes; null says that the courier is gone. */
export function record(name, fix) {
  const view = new DataView(new ArrayBuffer(SIZE));
  view.setUint32(0, name);
  if (fix) {
    view.setUint32(4, nearest(fix.time));
    view.setInt32(8, nearest(fix.lat * PER_DEGREE));
    view.setInt32(12, nearest(fix.lon * PER_DEGREE)); // wraps at the meridian of 180°, as it should
    view.setUint8(16, nearest(fix.speed * 4));
    view.setUint8(17, nearest((fix.course * 256) / 360));
  }
  return new Uint8Array(view.buffer);
}

/** Read a message: the sender's time, and names with their fixes, or with null for one that is gone. */
export function readFixes(buffer) {
  const view = new DataView(buffer);
  const fixes = [];
  for (let start = HEAD; start < view.byteLength; start += SIZE) {
    const time = view.getUint32(start + 4);
    const fix = {
      time,
      lat: view.getInt32(start + 8) / PER_DEGREE,
      lon: view.getInt32(start + 12) / PER_DEGREE,
      speed: view.getUint8(start + 16) / 4,
      course: (view.getUint8(start + 17) * 360) / 256,
    };
    fixes.push({ name: view.getUint32(start), fix: time ? fix : null });
  }
  return { now: view.getFloat64(1), fixes };
}

/** Where a courier is at a time, if it goes on as it did: latitude and longitude. */
export function at(fix, now) {
  const radians = Math.PI / 180;
  const angle = (fix.speed * Math.max(0, Math.min(now - fix.time, LOST))) / RADIUS;
  if (!angle) return [fix.lat, fix.lon];
  const [lat, lon, way] = [fix.lat * radians, fix.lon * radians, fix.course * radians];
  const sine = Math.sin(lat) * Math.cos(angle) + Math.cos(lat) * Math.sin(angle) * Math.cos(way);
  const bounded = Math.max(-1, Math.min(1, sine));
  const east = Math.sin(way) * Math.sin(angle) * Math.cos(lat);
  const turned = (lon + Math.atan2(east, Math.cos(angle) - Math.sin(lat) * bounded)) / radians;
  return [Math.asin(bounded) / radians, ((turned + 540) % 360) - 180];
}
