// Numbers of bytes as people read them.

/** 512 B, 34 kB, 1.5 MB. */
export function sizeText(bytes) {
  if (bytes < 1024) return `${bytes} B`;
  if (bytes < 1048576) return `${Math.round(bytes / 1024)} kB`;
  return `${Number((bytes / 1048576).toFixed(1))} MB`;
}
