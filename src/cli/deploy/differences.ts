import { imageLabels } from '../../core/deployments/names.ts';
import type { Image, Revision } from './port.ts';

/** A setting that the target has otherwise than the service now. */
export interface Difference {
  readonly setting: string;
  readonly before: string;
  readonly after: string;
}

const none = '–';

/** Compares what runs with what is to run: the image by its tag, digest and labels, and the settings of the task definition. */
export function differencesOf(
  running: { readonly revision: Revision; readonly image: Image | undefined },
  target: { readonly revision: Revision; readonly image: Image },
): readonly Difference[] {
  const current = { ...imageRow(running.image, running.revision.tag), ...running.revision.settings };
  const wanted = { ...imageRow(target.image, target.image.tag), ...target.revision.settings };
  return [...new Set([...Object.keys(current), ...Object.keys(wanted)])].flatMap((setting) => {
    const pair = { before: current[setting] ?? none, after: wanted[setting] ?? none };
    return pair.before === pair.after ? [] : [{ setting, ...pair }];
  });
}

function imageRow(image: Image | undefined, tag: string | undefined): Record<string, string> {
  const labels = image?.labels ?? {};
  const { version, schema } = imageLabels;
  return {
    tag: tag ?? none,
    digest: image?.digest ?? none,
    ...(labels[version] !== undefined && { version: labels[version] }),
    ...(labels[schema] !== undefined && { schema: labels[schema] }),
  };
}
