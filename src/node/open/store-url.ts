/** Returns the path of the file that the URL of a store names, or undefined if it names none. */
export function pathIn(url: string): string | undefined {
  if (!url.startsWith('file:')) return undefined;
  return url.slice('file:'.length).replace(/^\/\/(?=\/)/, '') || undefined;
}
