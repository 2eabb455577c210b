// SMPTE timecode of a frame, as storyboards/time.c counts it; drop-frame only at 29.97 and 59.94.
function timecode(frame, [num, den], drop) {
  const rate = Math.floor((num + den - 1) / den);
  const droppable = den === 1001 && (num === 30000 || num === 60000);
  const skip = drop && droppable ? num / 15000 : 0;
  let n = Math.max(0, Math.floor(frame));
  if (skip) {
    const ten = rate * 600 - 9 * skip, minute = rate * 60 - skip;
    const tens = Math.floor(n / ten), rest = n % ten;
    n += 9 * skip * tens;
    if (rest >= skip) n += skip * Math.floor((rest - skip) / minute);
  }
  const seconds = Math.floor(n / rate);
  const two = x => String(x).padStart(2, "0");
  return `${two(Math.floor(seconds / 3600) % 24)}:${two(Math.floor(seconds / 60) % 60)}:` +
    `${two(seconds % 60)}${skip ? ";" : ":"}${two(n % rate)}`;
}
