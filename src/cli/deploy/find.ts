import { HoldfastError } from '../../core/errors.ts';
import type { Deployable, Deployments } from './port.ts';

/** Finds one service, or all, of a stage. Without a name of a stage the region must have exactly one. */
export async function servicesOf(
  deployments: Deployments,
  stage: string | undefined,
  name: string | undefined,
): Promise<readonly [Deployable, ...Deployable[]]> {
  const found = await deployments.services(stage);
  const stages = [...new Set(found.map((one) => one.stage))];
  if (found.length === 0) {
    const what = stage === undefined ? 'no stage' : `no stage '${stage}'`;
    const message = `The region ${deployments.region} has ${what} of Holdfast in this account.`;
    throw new HoldfastError('NOT_FOUND', 'DEPLOYMENT_NOT_FOUND', message, {
      help: 'Check --region, --stage and the account. The stack records its services by the construct HoldfastDeployment: deploy it again if it lacks that.',
    });
  }
  if (stages.length > 1) {
    const message = `The region ${deployments.region} has several stages: ${stages.join(', ')}.`;
    throw new HoldfastError('INVALID_ARGUMENT', 'BAD_FIELD', message, {
      help: `Name one: --stage ${stages[0]}, or HOLDFAST_STAGE.`,
    });
  }
  const [first, ...rest] = found.filter((one) => name === undefined || one.name === name);
  if (first !== undefined) return [first, ...rest];
  const message = `The stage ${stages[0]} has no service '${name}'.`;
  throw new HoldfastError('NOT_FOUND', 'DEPLOYMENT_NOT_FOUND', message, {
    help: `It has ${found.map((one) => one.name).join(', ')}.`,
  });
}
