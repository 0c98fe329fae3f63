import { explain as verdictOn } from '../../core/explain/explain.ts';
import type { Scope } from '../../core/submission/submission.ts';
import type { Snapshot } from '../../ports/task-store.ts';
import { readTask } from '../commit.ts';
import type { ServiceContext } from '../context.ts';
import { keyNotFound, notFound } from '../rejections.ts';
import type { ExplainedDetails } from '../service.ts';
import { withReports } from '../session/begun.ts';
import { factsFor } from './facts.ts';

async function explainSnapshot(context: ServiceContext, read: Snapshot): Promise<ExplainedDetails> {
  const snapshot = withReports(context, read);
  const facts = await factsFor(context, snapshot);
  const blockedByTaskId = facts.laneFront?.id;
  return { details: { snapshot, result: undefined, blockedByTaskId }, verdict: verdictOn(snapshot, facts) };
}

/** Explains why a task has not completed, or how it ended. */
export async function explain(
  context: ServiceContext,
  tenant: string,
  id: string,
): Promise<ExplainedDetails> {
  const snapshot = await readTask(context, tenant, id);
  if (snapshot === undefined) throw notFound(id);
  return explainSnapshot(context, snapshot);
}

/** Explains the newest task of an idempotency key. */
export async function explainByKey(context: ServiceContext, scope: Scope): Promise<ExplainedDetails> {
  const snapshot = await context.store.byKey(scope, context.clock.now());
  if (snapshot === undefined) throw keyNotFound(scope);
  return explainSnapshot(context, snapshot);
}
