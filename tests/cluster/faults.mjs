// The faults of three machines. `break` makes one, and returns a function that repairs it, if it does not repair itself.

const postgres = /^(\S*\/)?postgres\b/;

export const faults = {
    postgres: {
        title: 'kill -9 of the PostgreSQL of the primary',
        async break(cluster) {
            (await cluster.primary()).kill(postgres);
        },
    },
    machine: {
        title: 'kill -9 of all on the machine of the primary',
        async break(cluster) {
            const machine = await cluster.primary();
            machine.kill();
            return () => machine.boot();
        },
    },
};
