/** A page of a trace in a web interface, such as Jaeger's or Grafana's. */
export interface TraceLink {
  /** The name that the template gives, else the host. */
  readonly name: string;
  readonly url: string;
}

interface TraceLinks {
  readonly links: readonly TraceLink[];
  /** A sentence for each template that is none. */
  readonly faults: readonly string[];
}

/**
 * Returns the links to a trace by the templates in the text of HOLDFAST_TRACE_LINK: URLs with `{traceId}`, with spaces between
 * them, each perhaps with a name before it (`jaeger=https://…`).
 */
export function traceLinks(templates: string | undefined, traceId: string): TraceLinks {
  const links: TraceLink[] = [];
  const faults: string[] = [];
  for (const template of (templates ?? '').split(/\s+/).filter((one) => one !== '')) {
    const [, given, plain = template] = /^([A-Za-z0-9_-]+)=(https?:.*)$/.exec(template) ?? [];
    const url = plain.replaceAll('{traceId}', traceId).replaceAll('%7BtraceId%7D', traceId);
    const isLink = /^https?:\/\//.test(plain) && URL.canParse(url) && url !== plain;
    if (isLink) links.push({ name: given ?? new URL(url).host, url });
    else
      faults.push(
        `HOLDFAST_TRACE_LINK: '${template}' is no template; write a URL with {traceId}, such as jaeger=http://127.0.0.1:16686/trace/{traceId}.`,
      );
  }
  return { links, faults };
}
