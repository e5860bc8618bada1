/** A letter's continuations, and the word that ends there. */
interface Node {
  readonly next: Map<string, Node>;
  word?: string;
}

/** Cuts a text around `words`: at every place the longest of them, from left to right. Empty pieces are left out. */
export function wordSplitter(words: readonly string[]): (text: string) => string[] {
  const root: Node = { next: new Map() };
  for (const word of words) {
    let node = root;
    for (let i = 0; i < word.length; i++) {
      const next: Node = node.next.get(word[i]!) ?? { next: new Map() };
      node.next.set(word[i]!, next);
      node = next;
    }
    node.word = word;
  }
  return (text) => {
    const pieces: string[] = [];
    let start = 0;
    for (let at = 0; at < text.length; ) {
      const found = longest(root, text, at);
      if (!found) {
        at++;
        continue;
      }
      if (at > start) pieces.push(text.slice(start, at));
      pieces.push(found);
      at += found.length;
      start = at;
    }
    if (start < text.length) pieces.push(text.slice(start));
    return pieces;
  };
}

function longest(root: Node, text: string, at: number): string | undefined {
  let found: string | undefined;
  let node = root.next.get(text[at]!);
  for (let i = at + 1; node; i++) {
    if (node.word) found = node.word;
    node = i < text.length ? node.next.get(text[i]!) : undefined;
  }
  return found;
}
