import type { Plugin } from 'vite';

// A component has one module with the names of its classes, and one stylesheet with the same name.
const CLASSES = /\/@mantine\/core\/esm\/.*\/([\w-]+)\.module\.mjs$/;
const SHEET = /\/@mantine\/core\/styles\/([\w-]+)\.css$/;
// Sheets that are no component's.
const OF_ALL = new Set(['baseline', 'default-css-variables', 'global']);

/** Fails a build in which a component of the library has no styles, or styles have no component. */
export function componentStyles(): Plugin {
  return {
    name: 'kronk-component-styles',
    apply: 'build',
    generateBundle(_, bundle) {
      const shown = new Set<string>();
      for (const chunk of Object.values(bundle)) {
        for (const id of chunk.type === 'chunk' ? chunk.moduleIds : []) {
          const name = CLASSES.exec(id)?.[1];
          if (name !== undefined) shown.add(name);
        }
      }
      const styled = new Set<string>();
      for (const id of this.getModuleIds()) {
        const name = SHEET.exec(id)?.[1];
        if (name !== undefined && !OF_ALL.has(name)) styled.add(name);
      }
      const missing = [...shown].filter((name) => !styled.has(name)).sort();
      const unused = [...styled].filter((name) => !shown.has(name)).sort();
      if (missing.length > 0) this.error(`src/app/styles.ts lacks the styles of ${missing.join(', ')}`);
      if (unused.length > 0) this.error(`src/app/styles.ts has styles that nothing uses: ${unused.join(', ')}`);
    },
  };
}
