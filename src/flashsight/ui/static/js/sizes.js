// Numbers of bytes as people read them.

/** 512 B, 34.2 kB, 612 kB, 1.5 MB. */
export function sizeText(bytes) {
  if (bytes < 1024) return `${Math.round(bytes)} B`;
  const [value, unit] = bytes < 1048576 ? [bytes / 1024, "kB"] : [bytes / 1048576, "MB"];
  return `${Number(value.toFixed(value < 100 ? 1 : 0))} ${unit}`;
}
