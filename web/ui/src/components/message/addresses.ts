/** Which addresses of an answer a page may follow by itself, and which a person alone. */

/** Whether a picture or sound is here already: fetching one from elsewhere would carry out what was said. */
export function isHere(address: string, origin: string): boolean {
  if (/^(?:blob:|data:(?:image|audio)\/)/i.test(address)) return true;
  try {
    const url = new URL(address, `${origin}/`);
    return url.origin === origin && /^https?:$/.test(url.protocol);
  } catch {
    return false;
  }
}

/** The address, where a click on it does no harm; '' otherwise. */
export function safeLink(address: string): string {
  const scheme = /^\s*([a-z][a-z\d+.-]*):/i.exec(address)?.[1]?.toLowerCase();
  return scheme === undefined || ['http', 'https', 'mailto', 'tel'].includes(scheme) ? address : '';
}
