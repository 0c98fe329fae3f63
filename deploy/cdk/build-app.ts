import { App, type AppProps, Validations } from 'aws-cdk-lib';
import { AwsSolutionsChecks } from 'cdk-nag';
import { AppStack, DataStack, type Given } from './stacks.ts';
import { type StageSettings, stages } from './stages.ts';

/** Makes the app with the stacks of all stages, or of the given ones, checked by cdk-nag at synthesis. */
export function buildApp(given: Given, props: AppProps = {}, built: readonly StageSettings[] = stages): App {
  const app = new App(props);
  const region = (app.node.tryGetContext('region') as string | undefined) ?? 'eu-central-1';
  for (const stage of built) {
    const data = new DataStack(app, `holdfast-${stage.name}-data`, stage, { env: { region } });
    new AppStack(app, `holdfast-${stage.name}`, { stage, data, given }, { env: { region } });
  }
  Validations.of(app).addPlugins(new AwsSolutionsChecks(app));
  return app;
}
