import { HoldfastError } from '../../../core/errors.ts';
import { messageOf } from '../../../core/untrusted.ts';
import type { Clock } from '../../../ports/clock.ts';
import { send } from '../../backends/request.ts';
import type { Deployable, Image } from '../port.ts';
import type { Clients } from './clients.ts';
import { calling } from './errors.ts';

/** The kinds of manifests that are read: images of Docker and OCI, and lists of them. */
const mediaTypes = [
  'application/vnd.oci.image.index.v1+json',
  'application/vnd.docker.distribution.manifest.list.v2+json',
  'application/vnd.oci.image.manifest.v1+json',
  'application/vnd.docker.distribution.manifest.v2+json',
];
/** The most lists of images below each other that are read: builds make one. */
const mostLists = 3;
const configBounds = { answerMs: 10_000, answerBytes: 4 * 1_048_576 } as const;

interface Manifest {
  readonly annotations?: Readonly<Record<string, string>>;
  readonly config?: { readonly digest?: string };
  readonly manifests?: readonly {
    readonly digest?: string;
    readonly platform?: { readonly architecture?: string };
  }[];
}

interface ImageId {
  readonly imageTag?: string;
  readonly imageDigest?: string;
}

/** Reads images of ECR with their labels, without their layers. */
export class Images {
  readonly #clients: Clients;
  readonly #clock: Pick<Clock, 'after'>;

  constructor(clients: Clients, clock: Pick<Clock, 'after'>) {
    this.#clients = clients;
    this.#clock = clock;
  }

  async get({ repository }: Deployable, tag: string): Promise<Image | undefined> {
    const found = await this.#manifest(repository, { imageTag: tag });
    if (found === undefined) return undefined;
    const { digest, manifest } = found;
    try {
      return { tag, digest, labels: await this.#labels(repository, manifest), fault: undefined };
    } catch (thrown) {
      return { tag, digest, labels: undefined, fault: messageOf(thrown) };
    }
  }

  async #manifest(
    repositoryName: string,
    id: ImageId,
  ): Promise<{ readonly digest: string; readonly manifest: Manifest } | undefined> {
    const { ecr, ecrModule, region } = this.#clients;
    const request = { repositoryName, imageIds: [id], acceptedMediaTypes: mediaTypes };
    const [image] = await calling('ECR', region, async () => {
      try {
        return (await ecr.send(new ecrModule.BatchGetImageCommand(request))).images ?? [];
      } catch (thrown) {
        // ECR refuses a text that cannot be a tag.
        if (thrown instanceof Error && thrown.name === 'InvalidParameterException') return [];
        throw thrown;
      }
    });
    if (image === undefined) return undefined;
    const manifest = objectOf<Manifest>(image.imageManifest ?? '{}', 'The manifest of the image');
    return { digest: image.imageId?.imageDigest ?? '', manifest };
  }

  /**
   * Returns the labels of an image: those of its configuration, and the annotations of its manifest, which builds may use in
   * their place. Of a list of images it reads the one for arm64, on which the tasks run, else the first.
   */
  async #labels(
    repository: string,
    manifest: Manifest,
    listsAbove = 0,
  ): Promise<Readonly<Record<string, string>>> {
    const { manifests } = manifest;
    const annotations = textsIn(manifest.annotations);
    if (manifests !== undefined) {
      if (listsAbove >= mostLists) throw unreadable('The list of images lists too many lists');
      // Builds add lists of attestations, whose architecture is unknown.
      const platforms = manifests.filter(
        ({ platform }) => platform !== undefined && platform.architecture !== 'unknown',
      );
      const chosen =
        platforms.find(({ platform }) => platform?.architecture === 'arm64') ?? platforms[0] ?? manifests[0];
      const below = await this.#manifest(repository, { imageDigest: chosen?.digest ?? '' });
      return {
        ...annotations,
        ...(below === undefined ? {} : await this.#labels(repository, below.manifest, listsAbove + 1)),
      };
    }
    const digest = manifest.config?.digest;
    return { ...annotations, ...(digest === undefined ? {} : await this.#configured(repository, digest)) };
  }

  /** Downloads the configuration of an image, a JSON of some KB, and returns the labels in it. */
  async #configured(repositoryName: string, layerDigest: string): Promise<Readonly<Record<string, string>>> {
    const { ecr, ecrModule, region } = this.#clients;
    const { downloadUrl = '' } = await calling('ECR', region, () =>
      ecr.send(new ecrModule.GetDownloadUrlForLayerCommand({ repositoryName, layerDigest })),
    );
    const url = new URL(downloadUrl);
    const { status, text } = await send(
      { url: url.origin, headers: {}, ca: undefined },
      { path: `${url.pathname}${url.search}` },
      { clock: this.#clock, ...configBounds },
    ).catch((cause: unknown) => {
      throw unreadable(`${url.host} ${messageOf(cause)}`, cause);
    });
    if (status !== 200) throw unreadable(`${url.host} answered with status ${status}`);
    const { config } = objectOf<{ config?: { Labels?: unknown } | null }>(
      text,
      'The configuration of the image',
    );
    return textsIn(config?.Labels);
  }
}

/** Parses a JSON object that a registry has sent. */
function objectOf<T extends object>(text: string, name: string): T {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === 'object' && value !== null) return value as T;
  } catch (cause) {
    throw unreadable(`${name} is no JSON`, cause);
  }
  throw unreadable(`${name} is no object`);
}

/** Returns the fields of a value that are texts, since a registry keeps whatever a build has sent. */
function textsIn(value: unknown): Record<string, string> {
  if (typeof value !== 'object' || value === null) return {};
  const fields: [string, unknown][] = Object.entries(value);
  return Object.fromEntries(fields.filter((one): one is [string, string] => typeof one[1] === 'string'));
}

function unreadable(sentence: string, cause?: unknown): HoldfastError {
  return new HoldfastError('UNAVAILABLE', 'UNREACHABLE', `${sentence}.`, { cause });
}
