// Levenshtein distance in characters after NFC, as the server counts it.

/** Fewest insertions, deletions and replacements that turn one text into the other. */
export function editDistance(written, corrected) {
  const [one, other] = [written, corrected].map((text) => [...text.normalize("NFC")]);
  let row = Uint32Array.from({ length: other.length + 1 }, (_, at) => at);
  one.forEach((character, at) => {
    const next = new Uint32Array(row.length);
    next[0] = at + 1;
    for (let place = 1; place < row.length; place += 1) {
      const replaced = row[place - 1] + (character === other[place - 1] ? 0 : 1);
      next[place] = Math.min(row[place] + 1, next[place - 1] + 1, replaced);
    }
    row = next;
  });
  return row[other.length];
}
