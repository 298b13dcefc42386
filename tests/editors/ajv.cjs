// Judges documents by a schema with Ajv: {schema, others: [...], documents: {name: value}} on stdin,
// {name: true | false} on stdout. Run in a folder with node_modules/ajv.
const { createRequire } = require("node:module");
const Ajv = createRequire(process.cwd() + "/")("ajv/dist/2020").default;

const { schema, others, documents } = JSON.parse(require("node:fs").readFileSync(0, "utf8"));
const ajv = new Ajv({ strict: false });
for (const [name, other] of Object.entries(others)) ajv.addSchema(other, name);
const validate = ajv.compile(schema);
const verdicts = Object.entries(documents).map(([name, value]) => [name, validate(value)]);
process.stdout.write(JSON.stringify(Object.fromEntries(verdicts)));
