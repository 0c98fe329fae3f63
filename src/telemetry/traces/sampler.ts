import type { Sampler } from '@opentelemetry/sdk-trace';
import type { ExportSettings } from './export-settings.ts';

type Sdk = typeof import('@opentelemetry/sdk-trace');

/**
 * Returns the sampler of the settings. A new trace that links to a sampled one is sampled too, whatever the settings say of
 * new traces: a retry belongs to its submission, whose trace would otherwise lack it.
 */
export function samplerOf(sdk: Sdk, { sampler, ratio }: Pick<ExportSettings, 'sampler' | 'ratio'>): Sampler {
  const root = afterLinks(sdk, rootOf(sdk, sampler, ratio));
  return sampler.startsWith('parentbased_') ? new sdk.ParentBasedSampler({ root }) : root;
}

function rootOf(sdk: Sdk, sampler: ExportSettings['sampler'], ratio: number): Sampler {
  if (sampler.endsWith('always_on')) return new sdk.AlwaysOnSampler();
  if (sampler.endsWith('always_off')) return new sdk.AlwaysOffSampler();
  return new sdk.TraceIdRatioBasedSampler(ratio);
}

function afterLinks(sdk: Sdk, root: Sampler): Sampler {
  return {
    shouldSample: (context, traceId, name, kind, attributes, links) =>
      links.some((link) => (link.context.traceFlags & 1) === 1)
        ? { decision: sdk.SamplingDecision.RECORD_AND_SAMPLED }
        : root.shouldSample(context, traceId, name, kind, attributes, links),
    toString: () => `SampledByLink{${root.toString()}}`,
  };
}
