/** JSON as people read it, even while it is still written. */

const INDENT = '  ';

/** `text` with a line for each member; what is no JSON keeps its characters. */
export function prettyJson(text: string): string {
  try {
    return JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    return indented(text);
  }
}

function indented(text: string): string {
  let result = '';
  let depth = 0;
  let isString = false;
  const line = () => `\n${INDENT.repeat(Math.max(0, depth))}`;
  for (let at = 0; at < text.length; at += 1) {
    const character = text.charAt(at);
    if (isString) {
      result += character;
      if (character === '\\') {
        at += 1;
        result += text.charAt(at);
      } else if (character === '"') {
        isString = false;
      }
    } else if (character === '"') {
      isString = true;
      result += character;
    } else if (character === '{' || character === '[') {
      const end = emptyEnd(text, at);
      if (end !== null) {
        result += character + text.charAt(end);
        at = end;
      } else {
        depth += 1;
        result += character + (at < text.trimEnd().length - 1 ? line() : '');
      }
    } else if (character === '}' || character === ']') {
      depth -= 1;
      result += line() + character;
    } else if (character === ',') {
      result += `,${line()}`;
    } else if (character === ':') {
      result += ': ';
    } else if (!/\s/.test(character)) {
      result += character;
    }
  }
  return result.trimEnd();
}

/** Where what opens at `at` closes, if nothing but space is between. */
function emptyEnd(text: string, at: number): number | null {
  const end = /^\s*[}\]]/.exec(text.slice(at + 1));
  return end === null ? null : at + end[0].length;
}
