/** A row of a CSV file, with the line of the file that it begins on. */
export interface CsvRow {
  line: number;
  cells: string[];
}

/** What begins a formula in a spreadsheet; a cell of the output that begins so is text there. */
const FORMULA = /^[=+\-@\t\r]/;
const SEPARATORS = [',', ';', '\t'] as const;

/** The separator of a file: the one that its first line has most of, outside of quotes. */
export function separatorOf(text: string): string {
  const plain = (text.split(/\r\n|\n|\r/, 1)[0] ?? '').replaceAll(/"(?:[^"]|"")*"/g, '');
  const counts = SEPARATORS.map((separator) => plain.split(separator).length);
  return SEPARATORS[counts.indexOf(Math.max(...counts))] ?? ',';
}

/** The rows of a CSV text: cells may be in quotes, and have separators, quotes and line ends in
 * them then. A byte order mark and empty rows are passed over. Where a quote is never closed,
 * `unclosed` is the line that it is in. */
export function parseCsv(text: string): { rows: CsvRow[]; unclosed: number | null } {
  const source = text.replace(/^\uFEFF/, '');
  const separator = separatorOf(source);
  const rows: CsvRow[] = [];
  let cells: string[] = [];
  let cell = '';
  let line = 1;
  let began = 1;
  let quoted: number | null = null;
  const endRow = () => {
    if (cells.length > 0 || cell !== '') rows.push({ line: began, cells: [...cells, cell] });
    cells = [];
    cell = '';
  };
  for (let at = 0; at < source.length; at += 1) {
    const sign = source.charAt(at);
    const isEnd = sign === '\n' || (sign === '\r' && source.charAt(at + 1) !== '\n');
    if (isEnd) line += 1;
    if (quoted !== null) {
      if (sign !== '"') cell += sign;
      else if (source.charAt(at + 1) === '"') {
        cell += '"';
        at += 1;
      } else quoted = null;
    } else if (sign === '"' && cell === '') quoted = line;
    else if (sign === separator) {
      cells.push(cell);
      cell = '';
    } else if (isEnd) {
      endRow();
      began = line;
    } else if (sign !== '\r') cell += sign;
  }
  endRow();
  return { rows, unclosed: quoted };
}

/** A CSV text that spreadsheets show and none of them computes. */
export function toCsv(rows: readonly (readonly string[])[]): string {
  return rows.map((row) => `${row.map(cellOf).join(',')}\r\n`).join('');
}

function cellOf(text: string): string {
  const safe = FORMULA.test(text) ? `'${text}` : text;
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}
