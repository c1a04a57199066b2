import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    exclude: ['test/real/**', 'test/bench/**', 'test/torture/**'],
    globalSetup: ['test/real/announce.ts'],
    maxWorkers: '100%',
    testTimeout: 20_000,
    coverage: {
      provider: 'v8',
      include: ['src/**/*.ts', 'inputs/**/*.ts', 'outputs/**/*.ts'],
      exclude: ['src/cli/generate.ts'],
      reporter: ['text-summary', 'lcovonly'],
      thresholds: { lines: 90 },
    },
  },
})
