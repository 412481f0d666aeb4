/** Whether the page is being left: by a reload, a link to elsewhere, or its tab being closed. */
let isLeaving = false;

// Some ways out, like a download, lead to no other page.
const STILL_HERE_MS = 2000;

addEventListener('beforeunload', () => {
  isLeaving = true;
  setTimeout(() => (isLeaving = false), STILL_HERE_MS);
});

/** Comes back at once, or, where the page is being left, only if it is not after all. */
export async function unlessLeaving(): Promise<void> {
  if (isLeaving) await new Promise((resolve) => setTimeout(resolve, STILL_HERE_MS));
}
