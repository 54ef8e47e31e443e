// For svelte-check as well as for Vite.
export default { compilerOptions: { runes: true } };
