/** Where the runbooks of the alerts are: one page for each alert, named like it. */
export const runbookFolder = 'docs/runbooks';

/** Returns the page of an alert, such as `fast-budget-burn.md`. */
export function runbookOf(alert: string): string {
  const words = alert.replace(/(?<=[a-z])(?=[A-Z])/g, '-').toLowerCase();
  return `${words}.md`;
}
