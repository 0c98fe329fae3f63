/**
 * The actions of AWS that `holdfast deploy` and the smoke test of a release call. holdfast/cdk grants a release what it needs of
 * them, and docs/runbooks/rollback.md has the table of the operator's role.
 */

/** The actions of `holdfast deploy status`, by the resources that they name. */
export const statusActions = {
  /** On the services of a cluster, their rollouts and their service revisions. */
  services: [
    ...['ecs:DescribeServiceDeployments', 'ecs:DescribeServiceRevisions'],
    ...['ecs:DescribeServices', 'ecs:ListServiceDeployments'],
  ],
  /** On task definitions, for which ECS knows no resource. */
  taskDefinitions: ['ecs:DescribeTaskDefinition', 'ecs:ListTaskDefinitions'],
  /** On the repository of the images. */
  images: ['ecr:BatchGetImage', 'ecr:GetDownloadUrlForLayer'],
  /** On the path of the services of a stage, or on that of all stages if the command names none. */
  path: ['ssm:GetParametersByPath'],
  /** On the parameter of the tag and on those of the rollbacks. */
  parameters: ['ssm:GetParameter'],
} as const;

/** The further actions of `holdfast deploy rollback` and `forward`. To read the table, the operator has the policy `read`. */
export const moveActions = {
  checks: ['cloudwatch:DescribeAlarms', 'ecs:DescribeTasks', 'ecs:ListTasks'],
  services: ['ecs:StopServiceDeployment', 'ecs:UpdateService'],
  /** Only for a deregistered revision, with `iam:PassRole` for the two roles of its tasks. */
  register: ['ecs:RegisterTaskDefinition'],
  parameters: ['ssm:DeleteParameter', 'ssm:PutParameter'],
} as const;

/** The actions of the smoke test beside a deployed canary, which also needs `iam:PassRole` for the two roles of the canary. */
export const smokeActions = {
  service: ['ecs:DescribeServices'],
  taskDefinition: ['ecs:RunTask'],
  tasks: ['ecs:DescribeTasks'],
} as const;
