import { readFile, readdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { gzipSync } from 'node:zlib';
import type { Plugin } from 'vite';

const TEXTS = new Set(['.html', '.js', '.css', '.svg', '.json', '.webmanifest', '.md']);
// Below this the headers cost more than is saved.
const LEAST = 1024;

/** Puts a .gz beside each text that was built, so that the server compresses nothing. */
export function compress(): Plugin {
  let folder = '';
  return {
    name: 'kronk-compress',
    apply: 'build',
    configResolved(config) {
      folder = path.resolve(config.root, config.build.outDir);
    },
    async writeBundle() {
      for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
        const file = path.join(entry.parentPath, entry.name);
        if (!entry.isFile() || !TEXTS.has(path.extname(file))) continue;
        const text = await readFile(file);
        if (text.length >= LEAST) await writeFile(`${file}.gz`, gzipSync(text, { level: 9 }));
      }
    },
  };
}
