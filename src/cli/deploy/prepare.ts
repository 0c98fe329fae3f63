import { HoldfastError } from '../../core/errors.ts';
import { messageOf } from '../../core/untrusted.ts';
import { type Difference, differencesOf } from './differences.ts';
import type { Goal, Seen } from './plan.ts';
import type { Deployable, Deployments, Image, Revision, RollbackRecord } from './port.ts';
import { neverDeployed, see } from './reach.ts';
import { type FoundSchema, type SchemaFit, schemaFit } from './schema-fit.ts';
import { type Choice, chooseTarget, isOpen, isWayOpen, revisionOf } from './target.ts';

/** A rollout that is checked and ready to begin. */
export interface Prepared {
  readonly service: Deployable;
  readonly goal: Goal;
  readonly now: string | undefined;
  readonly why: string;
  readonly differences: readonly Difference[];
  readonly fit: SchemaFit;
}

export interface PrepareOptions {
  readonly deployments: Deployments;
  /** Goes on although it is not known whether the image can read the data. A known misfit is refused all the same. */
  readonly acceptUnknownSchema: boolean;
}

/** Finds the target of a rollback and checks that it can run. Changes nothing. */
export async function prepareRollback(
  service: Deployable,
  named: string | undefined,
  options: PrepareOptions,
): Promise<Prepared> {
  const { deployments } = options;
  const seen = await see(deployments, service);
  const revisions = await deployments.revisions(service, seen.state.primary.family);
  const choice = chooseTarget({ ...seen, revisions }, named);
  if ('refused' in choice) throw refusalOf(choice, service);
  const { to, from, why } = choice;
  const record: RollbackRecord | undefined = from === undefined ? undefined : { from, to, direction: 'back' };
  return checked({ service, goal: { to, record }, why, seen, revisions }, options);
}

/** Checks that a service that was rolled back can go forward again. Changes nothing. */
export async function prepareForward(
  service: Deployable,
  record: RollbackRecord,
  options: PrepareOptions,
): Promise<Prepared> {
  const seen = await see(options.deployments, service);
  const revisions = await options.deployments.revisions(service, seen.state.primary.family);
  const goal = { to: record.from, record: { ...record, direction: 'forward' as const } };
  return checked({ service, goal, why: 'it was rolled back from it', seen, revisions }, options);
}

/** True if a service was rolled back, or if its way forward was begun, and it was not deployed since. */
export function isGoneBack({ state, parameter, record }: Seen): boolean {
  if (record === undefined) return false;
  return record.direction === 'forward'
    ? isWayOpen(record, state, parameter)
    : isOpen(record, state, parameter);
}

interface Candidate {
  readonly service: Deployable;
  readonly goal: Goal;
  readonly why: string;
  readonly seen: Seen;
  readonly revisions: readonly Revision[];
}

async function checked(
  { service, goal, why, seen, revisions }: Candidate,
  { deployments, acceptUnknownSchema }: PrepareOptions,
): Promise<Prepared> {
  const { primary } = seen.state;
  const image = await deployments.image(service, goal.to);
  if (image === undefined) throw noImage(service, goal.to, deployments.region);
  const target = primary.tag === goal.to ? primary : revisionOf(revisions, goal.to);
  if (target === undefined) throw neverDeployed(service, goal.to);
  const fit = await fitOf(deployments, service, image, target);
  if (fit.verdict === 'refused') throw misfit(fit, goal.to);
  if (fit.verdict === 'unknown' && !acceptUnknownSchema) throw unknownFit(fit);
  const current = primary.tag === undefined ? undefined : await deployments.image(service, primary.tag);
  const differences = differencesOf({ revision: primary, image: current }, { revision: target, image });
  return { service, goal, now: primary.tag, why, differences, fit };
}

async function fitOf(
  deployments: Deployments,
  { repository }: Deployable,
  image: Image,
  { arn, table, tableFault, repository: imageRepository }: Revision,
): Promise<SchemaFit> {
  const unknown = (sentence: string): SchemaFit => ({ verdict: 'unknown', sentence });
  if (tableFault !== undefined)
    return unknown(`It is not known which table the task definition ${arn} opens: ${tableFault}.`);
  if (table === undefined) return schemaFit(image, undefined);
  // The labels that were read are those of the tag in the repository that the stack names.
  if (imageRepository !== repository)
    return unknown(
      `The task definition ${arn} runs an image of ${imageRepository ?? 'another registry'} and not of ${repository}.`,
    );
  const schema = await deployments.tableSchema(table).then(
    (number): FoundSchema => ({ number }),
    (thrown: unknown): FoundSchema => ({ fault: messageOf(thrown) }),
  );
  return schemaFit(image, { name: table, schema });
}

function refusalOf({ refused, sentence }: Extract<Choice, { refused: string }>, { name }: Deployable) {
  const help = {
    running: '`holdfast deploy status` shows what runs. Name another tag with --to.',
    rolledBack: `\`holdfast deploy forward ${name}\` goes forward again; name an earlier tag with --to to go back further.`,
    none: 'Name a tag with --to; `holdfast deploy status` lists the tags that were deployed.',
    untagged: 'Name a tag with --to; `holdfast deploy status` lists the tags that were deployed.',
  }[refused];
  const message = `${name}: ${sentence}`;
  if (refused === 'none' || refused === 'untagged')
    return new HoldfastError('NOT_FOUND', 'DEPLOYMENT_NOT_FOUND', message, { help });
  return new HoldfastError('FAILED_PRECONDITION', 'CONFLICT', message, { help });
}

function noImage({ repository, name }: Deployable, tag: string, region: string): HoldfastError {
  const message = `The repository ${repository} in ${region} has no image with the tag '${tag}'.`;
  return new HoldfastError('NOT_FOUND', 'DEPLOYMENT_NOT_FOUND', message, {
    help: `\`holdfast deploy status ${name}\` lists the tags that were deployed; a lifecycle rule of ECR may have deleted the image.`,
  });
}

function misfit({ sentence }: SchemaFit, tag: string): HoldfastError {
  return new HoldfastError(
    'FAILED_PRECONDITION',
    'SCHEMA_NEWER',
    `'${tag}' cannot read the data. ${sentence}`,
    {
      help: 'Name a newer tag with --to. A table is never written back to an older schema.',
    },
  );
}

function unknownFit({ sentence }: SchemaFit): HoldfastError {
  return new HoldfastError('FAILED_PRECONDITION', 'BAD_CONFIGURATION', sentence, {
    help: 'If you know that the image can read the data, add --accept-unknown-schema. A process that cannot ends at its start.',
  });
}
