// What is wrong with a pipeline is said in one line.
// RUN: not tfmbs-opt %s --tfmbs-telemetri 2>&1 | filecheck %s --check-prefix=NAME
// RUN: not tfmbs-opt %s --pass-pipeline='builtin.module(tfmbs-telemetry{size=1})' 2>&1 | filecheck %s --check-prefix=OPTION
// RUN: not tfmbs-opt %s --canonicalize='max-iter=1' 2>&1 | filecheck %s --check-prefix=UPSTREAM
// RUN: not tfmbs-opt %s --canonicalize='max-iterations=x' 2>&1 | filecheck %s --check-prefix=VALUE
// RUN: not tfmbs-opt %s --pass-pipeline='cse' 2>&1 | filecheck %s --check-prefix=ANCHOR
// RUN: not tfmbs-opt %s --pass-pipeline='builtin.module(func.func(cse)' 2>&1 | filecheck %s --check-prefix=PARENTHESIS
// RUN: not tfmbs-opt %s --pass-pipeline='builtin.module(func.func(tfmbs-telemetry))' 2>&1 | filecheck %s --check-prefix=PLACE

// NAME: error: pass tfmbs-telemetri: no such pass (near: tfmbs-telemetry
// OPTION: error: pass tfmbs-telemetry: no option 'size', it has no options
// UPSTREAM: error: pass canonicalize: no such option max-iter
// VALUE: error: pass canonicalize: for the --max-iterations option: 'x' value invalid
// ANCHOR: error: pipeline: outermost anchor, expected 'builtin.module(...)', got 'cse'
// PARENTHESIS: error: pipeline column 30: unbalanced parenthesis in 'builtin.module(func.func(cse)'
// PLACE: error: pass tfmbs-telemetry: anchor, expected builtin.module, got func.func
func.func @f() { return }
