import { expect, it } from 'vitest';
import { virtualClock } from '../../../testing/virtual-clock.ts';
import type { Deployable } from '../port.ts';
import type { Clients } from './clients.ts';
import { Images } from './images.ts';

const api = { repository: 'images' } as Deployable;

/** Images of an ECR that answers each request for a manifest with this text. */
function imagesWith(imageManifest: string) {
  let calls = 0;
  class Command {}
  const clients = {
    ...{ region: 'eu-central-1', ecrModule: { BatchGetImageCommand: Command } },
    ecr: {
      async send() {
        calls += 1;
        if (calls > 100) throw new Error('too many calls');
        return { images: [{ imageManifest, imageId: { imageDigest: 'sha256:1' } }] };
      },
    },
  } as unknown as Clients;
  return { images: new Images(clients, virtualClock()), calls: () => calls };
}

it('a list of images that lists itself ends after a few reads, and its labels count as not read', async () => {
  const { images, calls } = imagesWith(JSON.stringify({ manifests: [{ digest: 'sha256:1' }] }));
  expect(await images.get(api, '1.0.0')).toMatchObject({
    ...{ labels: undefined, fault: expect.stringContaining('too many lists') },
  });
  expect(calls()).toBeLessThan(10);
});

it('a manifest that is no JSON or no object is an error with a sentence', async () => {
  for (const text of ['<html>', 'null', '7'])
    await expect(imagesWith(text).images.get(api, '1.0.0'), text).rejects.toMatchObject({
      ...{ code: 'UNAVAILABLE', message: expect.stringContaining('The manifest of the image is no') },
    });
});

it('labels that are no texts are left out', async () => {
  const annotations = { 'io.holdfast.schema': 1, 'io.holdfast.reads-schema': ['1'], other: 'text' };
  const { images } = imagesWith(JSON.stringify({ annotations }));
  expect(await images.get(api, '1.0.0')).toMatchObject({ labels: { other: 'text' } });
  expect(await imagesWith('{"annotations":null}').images.get(api, '1.0.0')).toMatchObject({ labels: {} });
});
