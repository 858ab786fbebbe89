// RUN: tfmbs-opt %s --split-input-file --verify-diagnostics

func.func @argument(%x: memref<8xf32>) {
  // expected-error @below {{'tfmbs.kernel_program' op number of block arguments: expected 0, got 1}}
  "tfmbs.kernel_program"() ({
  ^bb0(%a: memref<8xf32>):
  }) : () -> ()
  return
}

// -----

func.func @captured_scalar(%x: memref<8xf32>, %i: index, %v: f32) {
  // expected-error @below {{'tfmbs.kernel_program' op body: expected memrefs of the code around it, got a value of type f32}}
  "tfmbs.kernel_program"() ({
    memref.store %v, %x[%i] : memref<8xf32>
  }) : () -> ()
  return
}

// -----

func.func @dynamic_memref(%x: memref<?xf32>) {
  // expected-error @below {{'tfmbs.kernel_program' op captured memref shape: expected static sizes of at least 1, got ?}}
  "tfmbs.kernel_program"() ({
    %c0 = arith.constant 0 : index
    %v = memref.load %x[%c0] : memref<?xf32>
  }) : () -> ()
  return
}

// -----

func.func @allocation(%x: memref<8xf32>) {
  // expected-error @below {{'tfmbs.kernel_program' op body op: expected scf, memref.load, memref.store, views, linalg.generic, arith or math or a function of tfmbs, got memref.alloc}}
  "tfmbs.kernel_program"() ({
    %a = memref.alloc() : memref<8xf32>
  }) : () -> ()
  return
}

// -----

func.func @vectors(%x: memref<8xf32>) {
  // expected-error @below {{'tfmbs.kernel_program' op body op arith.constant: expected scalars, got vector<4xf32>}}
  "tfmbs.kernel_program"() ({
    %v = arith.constant dense<1.0> : vector<4xf32>
  }) : () -> ()
  return
}
