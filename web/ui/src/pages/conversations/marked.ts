/** A piece of a text, and whether it is one of the words that were looked for. */
export interface Piece {
  text: string;
  isHit: boolean;
}

/** The words of a query, as the server has them: phrases in quotes are one. */
export function wordsOf(query: string): string[] {
  return [...query.matchAll(/"([^"]+)"|(\S+)/g)].map(([, phrase, word]) => (phrase ?? word ?? '').replaceAll('"', '').trim()).filter((word) => word !== '');
}

/** The text in pieces, those that were looked for marked. */
export function marked(text: string, query: string): Piece[] {
  const words = wordsOf(query).map((word) => word.replace(/[.*+?^${}()|[\]\\]/g, String.raw`\$&`));
  if (words.length === 0) return [{ text, isHit: false }];
  const pieces = text.split(new RegExp(`(${words.join('|')})`, 'giu'));
  return pieces.map((piece, place) => ({ text: piece, isHit: place % 2 === 1 })).filter((piece) => piece.text !== '');
}
