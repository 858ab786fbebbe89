// The pipeline that runs, in the form that --pass-pipeline reads: options spelled out, passes nested where they run,
// names of upstream pipelines replaced by what they stand for.
// RUN: tfmbs-opt %s --tfmbs-telemetry --cse --convert-torch-to-linalg --dump-pass-pipeline -o /dev/null 2>&1 | filecheck %s
// RUN: tfmbs-opt %s --pass-pipeline=' builtin.module( func.func( cse , canonicalize {max-iterations=3} ) ) ' --dump-pass-pipeline -o /dev/null 2>&1 | filecheck %s --check-prefix=NESTED
// RUN: tfmbs-opt %s --torch-backend-to-linalg-on-tensors-backend-pipeline --dump-pass-pipeline -o /dev/null 2>&1 | filecheck %s --check-prefix=EXPANDED

// CHECK: Pass Manager with 3 passes:
// CHECK-NEXT: builtin.module(tfmbs-telemetry,cse,func.func(convert-torch-to-linalg{allow-non-finites=true}))
// NESTED: builtin.module(func.func(cse,canonicalize{{{.*}}max-iterations=3{{.*}}}))
// EXPANDED: builtin.module(func.func({{.*}}convert-torch-to-linalg{{.*}},convert-torch-to-scf,convert-torch-to-arith{{.*}}
func.func @f() { return }
