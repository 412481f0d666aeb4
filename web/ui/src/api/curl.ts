/** A request as people type it. */

interface Request {
  /** With the scheme and the host. */
  url: string;
  body: unknown;
  /** Whether the server wants a token; it is never written out. */
  needsToken: boolean;
}

/** The command that sends `body` from a POSIX shell. */
export function curlOf({ url, body, needsToken }: Request): string {
  const lines = [
    `curl ${quoted(url)}`,
    `-H 'Content-Type: application/json'`,
    ...(needsToken ? ['-H "Authorization: Bearer $KRONK_TOKEN"'] : []),
    `-d ${quoted(JSON.stringify(body, null, 2))}`,
  ];
  return lines.join(' \\\n  ');
}

/** `text` as one word of a POSIX shell. */
export function quoted(text: string): string {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}
