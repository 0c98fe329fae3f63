/** The calls of the handler by their method and path, below the base path. */
import { problem } from './problem.ts';

export type Route =
  | { readonly action: 'submit'; readonly type: string }
  | { readonly action: 'read' | 'watch'; readonly id: string };

/**
 * Returns the call that a request makes, or the refusal: `POST {base}/{type}`, `GET {base}/{id}`, `GET {base}/{id}/events`.
 */
export function routeOf({ method, url }: Request, basePath: string): Route | Response {
  const { pathname } = new URL(url);
  const [name, ...rest] = segmentsOf(pathname, basePath) ?? [];
  if (name === undefined || name === '') return nothing(pathname);
  if (rest.length === 1 && rest[0] === 'events') {
    return method === 'GET' ? { action: 'watch', id: name } : notAllowed('GET');
  }
  if (rest.length > 0) return nothing(pathname);
  if (method === 'POST') return { action: 'submit', type: name };
  return method === 'GET' ? { action: 'read', id: name } : notAllowed('GET, POST');
}

function segmentsOf(pathname: string, basePath: string): readonly string[] | undefined {
  if (!pathname.startsWith(`${basePath}/`)) return undefined;
  try {
    return pathname
      .slice(basePath.length + 1)
      .split('/')
      .map(decodeURIComponent);
  } catch {
    return undefined;
  }
}

function nothing(pathname: string): Response {
  return problem(404, `There is nothing at '${pathname.slice(0, 256)}'.`, { reason: 'NOT_BUILT' });
}

function notAllowed(allow: string): Response {
  return problem(405, `Use ${allow} here.`, { reason: 'NOT_BUILT' }, { allow });
}
