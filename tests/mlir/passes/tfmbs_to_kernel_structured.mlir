// RUN: tfmbs-opt %s --split-input-file --tfmbs-to-kernel | filecheck %s

// A loop over elements runs as one program, on the output itself; what follows is a launch of its own.
// CHECK-LABEL: func.func @histogram
// CHECK-SAME:    (%[[X:.*]]: memref<16xi32>, %[[Y:.*]]: memref<4xf32> {tfmbs.output}, %[[Z:.*]]: memref<4xf32> {tfmbs.output})
// CHECK:         %[[C:.*]] = "tfmbs.kernel_constant"
// CHECK:         linalg.generic {{.*}} ins(%[[C]] : memref<4xf32>) outs(%[[Y]] : memref<4xf32>)
// CHECK:         "tfmbs.kernel_program"() ({
// CHECK:           scf.for %[[I:[a-z0-9]+]] =
// CHECK-NEXT:        %[[E:.*]] = memref.load %[[X]][%[[I]]]
// CHECK-NEXT:        %[[J:.*]] = arith.index_cast %[[E]]
// CHECK-NEXT:        %[[O:.*]] = memref.load %[[Y]][%[[J]]]
// CHECK-NEXT:        %[[S:.*]] = arith.addf %[[O]]
// CHECK-NEXT:        memref.store %[[S]], %[[Y]][%[[J]]]
// CHECK:         }) : () -> ()
// CHECK-NEXT:    linalg.generic {{.*}} ins(%[[Y]] : memref<4xf32>) outs(%[[Z]] : memref<4xf32>)
func.func @histogram(%x: tensor<16xi32>) -> (tensor<4xf32>, tensor<4xf32>) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c16 = arith.constant 16 : index
  %one = arith.constant 1.0 : f32
  %zeros = arith.constant dense<0.0> : tensor<4xf32>
  %0 = scf.for %i = %c0 to %c16 step %c1 iter_args(%a = %zeros) -> tensor<4xf32> {
    %e = tensor.extract %x[%i] : tensor<16xi32>
    %j = arith.index_cast %e : i32 to index
    %o = tensor.extract %a[%j] : tensor<4xf32>
    %s = arith.addf %o, %one : f32
    %b = tensor.insert %s into %a[%j] : tensor<4xf32>
    scf.yield %b : tensor<4xf32>
  }
  %e = tensor.empty() : tensor<4xf32>
  %1 = linalg.generic {indexing_maps = [affine_map<(i) -> (i)>, affine_map<(i) -> (i)>], iterator_types = ["parallel"]} ins(%0 : tensor<4xf32>) outs(%e : tensor<4xf32>) {
  ^bb0(%v: f32, %acc: f32):
    %2 = math.sqrt %v : f32
    linalg.yield %2 : f32
  } -> tensor<4xf32>
  return %0, %1 : tensor<4xf32>, tensor<4xf32>
}

// -----

// A tensor that a branch chooses is copied into one buffer, here the output: no memref is chosen at run time.
// CHECK-LABEL: func.func @choice
// CHECK-SAME:    (%[[X:.*]]: memref<8xf32>, %[[Y:.*]]: memref<8xf32>, %[[C:.*]]: memref<i1>, %[[O:.*]]: memref<8xf32> {tfmbs.output})
// CHECK:         scf.if
// CHECK-NEXT:      linalg.generic {{.*}} ins(%[[X]] : memref<8xf32>) outs(%[[O]] : memref<8xf32>)
// CHECK:         } else {
// CHECK-NEXT:      linalg.generic {{.*}} ins(%[[Y]] : memref<8xf32>) outs(%[[O]] : memref<8xf32>)
func.func @choice(%x: tensor<8xf32>, %y: tensor<8xf32>, %c: tensor<i1>) -> tensor<8xf32> {
  %0 = tensor.extract %c[] : tensor<i1>
  %1 = arith.select %0, %x, %y : tensor<8xf32>
  return %1 : tensor<8xf32>
}

// -----

// Tensors that change places from one iteration to the next are copied by way of one buffer more.
// CHECK-LABEL: func.func @swap
// CHECK-SAME:    (%[[X:.*]]: memref<8xf32>, %[[Y:.*]]: memref<8xf32>, %[[N:.*]]: memref<i32>, %[[O:.*]]: memref<8xf32> {tfmbs.output}, %[[P:.*]]: memref<8xf32> {tfmbs.output})
// CHECK:         %[[A:.*]] = memref.alloc() : memref<8xf32>
// CHECK-NOT:     memref.alloc
// CHECK:         scf.for
// CHECK:           linalg.generic {{.*}} ins(%[[O]] : memref<8xf32>) outs(%[[A]] : memref<8xf32>)
// CHECK:           linalg.generic {{.*}} ins(%[[P]] : memref<8xf32>) outs(%[[O]] : memref<8xf32>)
// CHECK:           linalg.generic {{.*}} ins(%[[A]] : memref<8xf32>) outs(%[[P]] : memref<8xf32>)
func.func @swap(%x: tensor<8xf32>, %y: tensor<8xf32>, %n: tensor<i32>) -> (tensor<8xf32>, tensor<8xf32>) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %0 = tensor.extract %n[] : tensor<i32>
  %1 = arith.index_cast %0 : i32 to index
  %2:2 = scf.for %i = %c0 to %1 step %c1 iter_args(%a = %x, %b = %y) -> (tensor<8xf32>, tensor<8xf32>) {
    scf.yield %b, %a : tensor<8xf32>, tensor<8xf32>
  }
  return %2#0, %2#1 : tensor<8xf32>, tensor<8xf32>
}

// -----

// A slice at a run-time offset, and a structured op that loads elements at computed places.
// CHECK-LABEL: func.func @computed_places
// CHECK-SAME:    (%[[X:.*]]: memref<8xf32>, %[[N:.*]]: memref<i32>, %[[Y:.*]]: memref<2xf32> {tfmbs.output}, %[[Z:.*]]: memref<2xf32> {tfmbs.output})
// CHECK:         "tfmbs.kernel_program"() ({
// CHECK:           %[[J:.*]] = arith.index_cast
// CHECK:           %[[V:.*]] = memref.subview %[[X]][%[[J]]] [2] [1]
// CHECK:           linalg.generic {{.*}} outs(%[[Z]] : memref<2xf32>)
// CHECK:             memref.load %[[X]]
// CHECK:           linalg.generic {{.*}} ins(%[[V]] : {{.*}}) outs(%[[Y]] : memref<2xf32>)
func.func @computed_places(%x: tensor<8xf32>, %n: tensor<i32>) -> (tensor<2xf32>, tensor<2xf32>) {
  %i = tensor.extract %n[] : tensor<i32>
  %j = arith.index_cast %i : i32 to index
  %0 = tensor.extract_slice %x[%j] [2] [1] : tensor<8xf32> to tensor<2xf32>
  %e = tensor.empty() : tensor<2xf32>
  %1 = linalg.generic {indexing_maps = [affine_map<(i) -> (i)>], iterator_types = ["parallel"]} outs(%e : tensor<2xf32>) {
  ^bb0(%acc: f32):
    %k = linalg.index 0 : index
    %l = arith.muli %k, %k : index
    %v = tensor.extract %x[%l] : tensor<8xf32>
    linalg.yield %v : f32
  } -> tensor<2xf32>
  return %0, %1 : tensor<2xf32>, tensor<2xf32>
}

// -----

// A scalar that a later program needs leaves the first through memory, an index as i64.
// CHECK-LABEL: func.func @scalar_between
// CHECK-SAME:    (%[[X:.*]]: memref<1x4xf32>, %[[I:.*]]: memref<i32>, %[[Y:.*]]: memref<1x4xf32> {tfmbs.output}, %[[Z:.*]]: memref<4xf32> {tfmbs.output})
// CHECK:         %[[S:.*]] = memref.alloc() : memref<i64>
// CHECK:         "tfmbs.kernel_program"() ({
// CHECK:           memref.store %{{.*}}, %[[S]][] : memref<i64>
// CHECK:         "tfmbs.kernel_gemm"
// CHECK:         "tfmbs.kernel_program"() ({
// CHECK:           memref.load %[[S]][] : memref<i64>
func.func @scalar_between(%x: tensor<1x4xf32>, %i: tensor<i32>) -> (tensor<1x4xf32>, tensor<4xf32>) {
  %w = arith.constant dense<1.0> : tensor<4x4xf32>
  %0 = tensor.extract %i[] : tensor<i32>
  %1 = arith.index_cast %0 : i32 to index
  %2 = "tfmbs.gemv"(%x, %w) ({}) {operandSegmentSizes = array<i32: 1, 1, 0, 0, 0, 0, 0, 0, 0, 0>, roles = []} : (tensor<1x4xf32>, tensor<4x4xf32>) -> tensor<1x4xf32>
  %3 = tensor.extract_slice %w[%1, 0] [1, 4] [1, 1] : tensor<4x4xf32> to tensor<4xf32>
  return %2, %3 : tensor<1x4xf32>, tensor<4xf32>
}

// -----

// A kernel inside of a loop is spelled out in the contract's order.
// CHECK-LABEL: func.func @matmul_in_loop
// CHECK:         scf.for
// CHECK-NOT:       tfmbs.
// CHECK:           math.fma
func.func @matmul_in_loop(%x: tensor<4x4xf32>, %w: tensor<4x4xf32>) -> tensor<4x4xf32> {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c3 = arith.constant 3 : index
  %r = scf.for %i = %c0 to %c3 step %c1 iter_args(%a = %x) -> tensor<4x4xf32> {
    %0 = "tfmbs.matmul"(%a, %w) ({}) {operandSegmentSizes = array<i32: 1, 1, 0, 0, 0, 0, 0, 0, 0, 0>, roles = []} : (tensor<4x4xf32>, tensor<4x4xf32>) -> tensor<4x4xf32>
    scf.yield %0 : tensor<4x4xf32>
  }
  return %r : tensor<4x4xf32>
}

// -----

// Named structured ops are launches like any other.
// CHECK-LABEL: func.func @named
// CHECK-NOT:     kernel_program
// CHECK:         linalg.generic {{.*}}["parallel", "reduction"]
func.func @named(%x: tensor<2x8xi32>) -> tensor<2xi32> {
  %c = arith.constant 0 : i32
  %e = tensor.empty() : tensor<2xi32>
  %0 = linalg.fill ins(%c : i32) outs(%e : tensor<2xi32>) -> tensor<2xi32>
  %1 = linalg.reduce { arith.addi } ins(%x : tensor<2x8xi32>) outs(%0 : tensor<2xi32>) dimensions = [1]
  return %1 : tensor<2xi32>
}

// -----

// A loop that keeps a tensor to itself, and hands on others in another order: each has a buffer of its own throughout.
// CHECK-LABEL: func.func @hidden_state
// CHECK-SAME:    (%[[X:.*]]: memref<4xf32>, %[[Y:.*]]: memref<4xf32>, %[[O:.*]]: memref<4xf32> {tfmbs.output})
// CHECK:         %[[S:.*]] = memref.alloc() : memref<4xf32>
// CHECK:         scf.while
// CHECK:           memref.load %[[S]]
// CHECK:         } do {
// CHECK:           scf.yield
func.func @hidden_state(%x: tensor<4xf32>, %y: tensor<4xf32>) -> tensor<4xf32> {
  %c0 = arith.constant 0 : index
  %limit = arith.constant 8.0 : f32
  %0 = scf.while (%a = %x, %b = %y) : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32> {
    %e = tensor.extract %a[%c0] : tensor<4xf32>
    %go = arith.cmpf olt, %e, %limit : f32
    scf.condition(%go) %b : tensor<4xf32>
  } do {
  ^bb0(%b: tensor<4xf32>):
    %1 = linalg.generic {indexing_maps = [affine_map<(i) -> (i)>], iterator_types = ["parallel"]} outs(%b : tensor<4xf32>) {
    ^bb0(%v: f32):
      %2 = arith.addf %v, %v : f32
      linalg.yield %2 : f32
    } -> tensor<4xf32>
    scf.yield %1, %b : tensor<4xf32>, tensor<4xf32>
  }
  return %0 : tensor<4xf32>
}

// -----

// A loop updates in place what was made for it, in the output that its result becomes.
// CHECK-LABEL: func.func @in_place
// CHECK-SAME:    (%[[X:.*]]: memref<8xf32>, %[[O:.*]]: memref<8xf32> {tfmbs.output})
// CHECK-NOT:     memref.alloc
// CHECK:         linalg.generic {{.*}} ins(%[[X]] : memref<8xf32>) outs(%[[O]] : memref<8xf32>)
// CHECK-NOT:     linalg.generic
// CHECK:         scf.for
// CHECK:           memref.store %{{.*}}, %[[O]]
func.func @in_place(%x: tensor<8xf32>) -> tensor<8xf32> {
  %c1 = arith.constant 1 : index
  %c8 = arith.constant 8 : index
  %e = tensor.empty() : tensor<8xf32>
  %0 = linalg.generic {indexing_maps = [affine_map<(i) -> (i)>, affine_map<(i) -> (i)>], iterator_types = ["parallel"]} ins(%x : tensor<8xf32>) outs(%e : tensor<8xf32>) {
  ^bb0(%v: f32, %acc: f32):
    %2 = math.sqrt %v : f32
    linalg.yield %2 : f32
  } -> tensor<8xf32>
  %1 = scf.for %i = %c1 to %c8 step %c1 iter_args(%a = %0) -> tensor<8xf32> {
    %h = arith.subi %i, %c1 : index
    %p = tensor.extract %a[%h] : tensor<8xf32>
    %q = tensor.extract %a[%i] : tensor<8xf32>
    %s = arith.addf %p, %q : f32
    %b = tensor.insert %s into %a[%i] : tensor<8xf32>
    scf.yield %b : tensor<8xf32>
  }
  return %1 : tensor<8xf32>
}

// -----

// Functions become part of those that call them.
// CHECK-LABEL: func.func @caller
// CHECK-NOT:     call
// CHECK:         scf.for
// CHECK:           math.sqrt
// CHECK-NOT:   func.func
func.func @caller(%x: tensor<8xf32>) -> tensor<8xf32> {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c8 = arith.constant 8 : index
  %0 = scf.for %i = %c0 to %c8 step %c1 iter_args(%a = %x) -> tensor<8xf32> {
    %1 = func.call @callee(%a) : (tensor<8xf32>) -> tensor<8xf32>
    scf.yield %1 : tensor<8xf32>
  }
  return %0 : tensor<8xf32>
}
func.func private @callee(%x: tensor<8xf32>) -> tensor<8xf32> {
  %0 = linalg.generic {indexing_maps = [affine_map<(i) -> (i)>], iterator_types = ["parallel"]} outs(%x : tensor<8xf32>) {
  ^bb0(%v: f32):
    %2 = math.sqrt %v : f32
    linalg.yield %2 : f32
  } -> tensor<8xf32>
  return %0 : tensor<8xf32>
}

// -----

// What is computed and then copied is written to both places at once, or only where it is copied to.
// CHECK-LABEL: func.func @written_twice
// CHECK-SAME:    (%[[X:.*]]: memref<4x8xf32>, %[[O:.*]]: memref<4x8xf32> {tfmbs.output}, %[[P:.*]]: memref<1x8xf32> {tfmbs.output})
// CHECK:         scf.for
// CHECK-NEXT:      %[[A:.*]] = memref.subview %[[X]]
// CHECK-NEXT:      %[[B:.*]] = memref.subview %[[O]]
// CHECK-NEXT:      linalg.generic {{.*}} ins(%[[A]] : {{.*}}) outs(%[[P]], %[[B]] :
// CHECK:             linalg.yield %[[S:.*]], %[[S]]
// CHECK-NEXT:      }
// CHECK-NEXT:      scf.yield
func.func @written_twice(%x: tensor<4x8xf32>) -> (tensor<4x8xf32>, tensor<1x8xf32>) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c4 = arith.constant 4 : index
  %zero = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<4x8xf32>
  %f = tensor.empty() : tensor<1x8xf32>
  %g = linalg.fill ins(%zero : f32) outs(%f : tensor<1x8xf32>) -> tensor<1x8xf32>
  %0:2 = scf.for %i = %c0 to %c4 step %c1 iter_args(%a = %e, %b = %g) -> (tensor<4x8xf32>, tensor<1x8xf32>) {
    %r = tensor.extract_slice %x[%i, 0] [1, 8] [1, 1] : tensor<4x8xf32> to tensor<1x8xf32>
    %s = linalg.generic {indexing_maps = [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i, j)>], iterator_types = ["parallel", "parallel"]} ins(%r : tensor<1x8xf32>) outs(%b : tensor<1x8xf32>) {
    ^bb0(%v: f32, %acc: f32):
      %1 = arith.addf %acc, %v : f32
      linalg.yield %1 : f32
    } -> tensor<1x8xf32>
    %t = tensor.insert_slice %s into %a[%i, 0] [1, 8] [1, 1] : tensor<1x8xf32> into tensor<4x8xf32>
    scf.yield %t, %s : tensor<4x8xf32>, tensor<1x8xf32>
  }
  return %0#0, %0#1 : tensor<4x8xf32>, tensor<1x8xf32>
}

// -----

// A part that is updated in place enters a loop as a plain memref, which the loop's own values are: sizes of 1 have no stride.
// CHECK-LABEL: func.func @part
// CHECK:         %[[B:.*]] = memref.alloc() : memref<1x1x2xi32>
// CHECK:         %[[P:.*]] = memref.reinterpret_cast %[[B]] to offset: [0], sizes: [1, 1, 1], strides: [1, 1, 1] : memref<1x1x2xi32> to memref<1x1x1xi32>
// CHECK:         scf.while (%{{.*}} = %[[P]]) : (memref<1x1x1xi32>) -> memref<1x1x1xi32>
// CHECK:           scf.condition(%{{.*}}) %[[P]] : memref<1x1x1xi32>
func.func @part(%x: tensor<1x1x2xi32>) -> tensor<1x1x1xi32> {
  %e = tensor.empty() : tensor<1x1x2xi32>
  %y = linalg.generic {indexing_maps = [affine_map<(i, j, k) -> (i, j, k)>, affine_map<(i, j, k) -> (i, j, k)>], iterator_types = ["parallel", "parallel", "parallel"]} ins(%x : tensor<1x1x2xi32>) outs(%e : tensor<1x1x2xi32>) {
  ^bb0(%v: i32, %acc: i32):
    %s = arith.muli %v, %v : i32
    linalg.yield %s : i32
  } -> tensor<1x1x2xi32>
  %0 = tensor.extract_slice %y[0, 0, 0] [1, 1, 1] [1, 1, 1] : tensor<1x1x2xi32> to tensor<1x1x1xi32>
  %c0 = arith.constant 0 : index
  %c9 = arith.constant 9 : i32
  %1 = scf.while (%a = %0) : (tensor<1x1x1xi32>) -> tensor<1x1x1xi32> {
    %2 = tensor.extract %a[%c0, %c0, %c0] : tensor<1x1x1xi32>
    %3 = arith.cmpi slt, %2, %c9 : i32
    scf.condition(%3) %a : tensor<1x1x1xi32>
  } do {
  ^bb0(%b: tensor<1x1x1xi32>):
    %2 = tensor.extract %b[%c0, %c0, %c0] : tensor<1x1x1xi32>
    %3 = arith.addi %2, %2 : i32
    %4 = tensor.insert %3 into %b[%c0, %c0, %c0] : tensor<1x1x1xi32>
    scf.yield %4 : tensor<1x1x1xi32>
  }
  return %1 : tensor<1x1x1xi32>
}

// -----

// What rows leave in a buffer is written anew by the next ones before it is read: the last step writes the output alone.
// CHECK-LABEL: func.func @blocks
// CHECK-SAME:    (%[[X:.*]]: memref<8x4xf32>, %[[Y:.*]]: memref<8x4xf32> {tfmbs.output})
// CHECK-DAG:     %[[SUM:.*]] = memref.alloc() : memref<2xf32>
// CHECK-DAG:     %[[SQUARES:.*]] = memref.alloc() : memref<2x4xf32>
// CHECK:           scf.for
// CHECK:             linalg.generic {{.*}} outs(%[[SQUARES]] : memref<2x4xf32>)
// CHECK:             linalg.generic {{.*}} ins(%[[SQUARES]] : memref<2x4xf32>) outs(%[[SUM]] : memref<2xf32>)
// CHECK:             %[[ROWS:.*]] = memref.subview %[[Y]]
// CHECK-NEXT:        linalg.generic {{.*}} ins(%[[SQUARES]], %[[SUM]] : memref<2x4xf32>, memref<2xf32>) outs(%[[ROWS]] : memref<2x4xf32, {{.*}}>)
#all = affine_map<(r, c) -> (r, c)>
#row = affine_map<(r, c) -> (r)>
func.func @blocks(%x: tensor<8x4xf32>) -> tensor<8x4xf32> {
  %c0 = arith.constant 0 : index
  %c2 = arith.constant 2 : index
  %c8 = arith.constant 8 : index
  %zero = arith.constant 0.0 : f32
  %y = tensor.empty() : tensor<8x4xf32>
  %0 = scf.for %i = %c0 to %c8 step %c2 iter_args(%out = %y) -> tensor<8x4xf32> {
    %rows = tensor.extract_slice %x[%i, 0] [2, 4] [1, 1] : tensor<8x4xf32> to tensor<2x4xf32>
    %e = tensor.empty() : tensor<2x4xf32>
    %squares = linalg.generic {indexing_maps = [#all, #all], iterator_types = ["parallel", "parallel"]} ins(%rows : tensor<2x4xf32>) outs(%e : tensor<2x4xf32>) {
    ^bb0(%v: f32, %o: f32):
      %1 = arith.mulf %v, %v : f32
      linalg.yield %1 : f32
    } -> tensor<2x4xf32>
    %s = tensor.empty() : tensor<2xf32>
    %start = linalg.fill ins(%zero : f32) outs(%s : tensor<2xf32>) -> tensor<2xf32>
    %sum = linalg.generic {indexing_maps = [#all, #row], iterator_types = ["parallel", "reduction"]} ins(%squares : tensor<2x4xf32>) outs(%start : tensor<2xf32>) {
    ^bb0(%v: f32, %o: f32):
      %1 = arith.addf %o, %v : f32
      linalg.yield %1 : f32
    } -> tensor<2xf32>
    %shares = linalg.generic {indexing_maps = [#all, #row, #all], iterator_types = ["parallel", "parallel"]} ins(%squares, %sum : tensor<2x4xf32>, tensor<2xf32>) outs(%e : tensor<2x4xf32>) {
    ^bb0(%v: f32, %t: f32, %o: f32):
      %1 = arith.divf %v, %t : f32
      linalg.yield %1 : f32
    } -> tensor<2x4xf32>
    %next = tensor.insert_slice %shares into %out[%i, 0] [2, 4] [1, 1] : tensor<2x4xf32> into tensor<8x4xf32>
    scf.yield %next : tensor<8x4xf32>
  }
  return %0 : tensor<8x4xf32>
}

// -----

// Where the rows add up what they leave to each other, the buffer keeps it.
// CHECK-LABEL: func.func @carried
// CHECK-SAME:    (%[[X:.*]]: memref<8x4xf32>, %[[Y:.*]]: memref<8x4xf32> {tfmbs.output})
// CHECK:           %[[CARRY:.*]] = memref.alloc() : memref<2x4xf32>
// CHECK:           scf.for
// CHECK:             %[[ROWS:.*]] = memref.subview %[[Y]]
// CHECK:             linalg.generic {{.*}} outs(%[[CARRY]], %[[ROWS]] : memref<2x4xf32>, memref<2x4xf32, {{.*}}>)
#all = affine_map<(r, c) -> (r, c)>
func.func @carried(%x: tensor<8x4xf32>) -> tensor<8x4xf32> {
  %c0 = arith.constant 0 : index
  %c2 = arith.constant 2 : index
  %c8 = arith.constant 8 : index
  %zero = arith.constant 0.0 : f32
  %y = tensor.empty() : tensor<8x4xf32>
  %e = tensor.empty() : tensor<2x4xf32>
  %start = linalg.fill ins(%zero : f32) outs(%e : tensor<2x4xf32>) -> tensor<2x4xf32>
  %0:2 = scf.for %i = %c0 to %c8 step %c2 iter_args(%out = %y, %carry = %start) -> (tensor<8x4xf32>, tensor<2x4xf32>) {
    %rows = tensor.extract_slice %x[%i, 0] [2, 4] [1, 1] : tensor<8x4xf32> to tensor<2x4xf32>
    %sum = linalg.generic {indexing_maps = [#all, #all], iterator_types = ["parallel", "parallel"]} ins(%rows : tensor<2x4xf32>) outs(%carry : tensor<2x4xf32>) {
    ^bb0(%v: f32, %o: f32):
      %1 = arith.addf %o, %v : f32
      linalg.yield %1 : f32
    } -> tensor<2x4xf32>
    %next = tensor.insert_slice %sum into %out[%i, 0] [2, 4] [1, 1] : tensor<2x4xf32> into tensor<8x4xf32>
    scf.yield %next, %sum : tensor<8x4xf32>, tensor<2x4xf32>
  }
  return %0#0 : tensor<8x4xf32>
}

// -----

// What goes to a computed place only is computed there, whatever else is computed in between.
// CHECK-LABEL: func.func @computed_into_places
// CHECK-SAME:    (%[[S:.*]]: memref<8x4xf32> {tfmbs.state = "s"}, %[[X:.*]]: memref<2x4xf32>, %[[AT:.*]]: memref<i64>)
// CHECK-NOT:     memref.alloc() : memref<2x2xf32>
// CHECK:         "tfmbs.kernel_program"() ({
// CHECK:           %[[A:.*]] = memref.subview %[[S]][%[[I:.*]], 0] [2, 2]
// CHECK:           linalg.generic {{.*}} outs(%[[A]] :
// CHECK-NEXT:      ^bb0
// CHECK-NEXT:        math.sqrt
// CHECK:           %[[B:.*]] = memref.subview %[[S]][%[[I]], 2] [2, 2]
// CHECK:           linalg.generic {{.*}} outs(%[[B]] :
// CHECK-NEXT:      ^bb0
// CHECK-NEXT:        math.absf
// CHECK-NOT:     linalg.generic
#pair = affine_map<(r, c) -> (r, c)>
#first = affine_map<(r, c) -> (r, 0, c)>
#second = affine_map<(r, c) -> (r, 1, c)>
func.func @computed_into_places(%s: tensor<8x4xf32> {tfmbs.state = "s"}, %x: tensor<2x4xf32>, %at: tensor<i64>) -> (tensor<8x4xf32> {tfmbs.state = "s"}) {
  %halves = tensor.expand_shape %x [[0], [1, 2]] output_shape [2, 2, 2] : tensor<2x4xf32> into tensor<2x2x2xf32>
  %e = tensor.empty() : tensor<2x2xf32>
  %a = linalg.generic {indexing_maps = [#first, #pair], iterator_types = ["parallel", "parallel"]} ins(%halves : tensor<2x2x2xf32>) outs(%e : tensor<2x2xf32>) {
  ^bb0(%v: f32, %o: f32):
    %1 = math.sqrt %v : f32
    linalg.yield %1 : f32
  } -> tensor<2x2xf32>
  %b = linalg.generic {indexing_maps = [#second, #pair], iterator_types = ["parallel", "parallel"]} ins(%halves : tensor<2x2x2xf32>) outs(%e : tensor<2x2xf32>) {
  ^bb0(%v: f32, %o: f32):
    %1 = math.absf %v : f32
    linalg.yield %1 : f32
  } -> tensor<2x2xf32>
  %n = tensor.extract %at[] : tensor<i64>
  %i = arith.index_cast %n : i64 to index
  %0 = tensor.insert_slice %a into %s[%i, 0] [2, 2] [1, 1] : tensor<2x2xf32> into tensor<8x4xf32>
  %1 = tensor.insert_slice %b into %0[%i, 2] [2, 2] [1, 1] : tensor<2x2xf32> into tensor<8x4xf32>
  return %1 : tensor<8x4xf32>
}

// -----

// A copy stays a copy where something else reads or overwrites in between what would have to wait for it.
// CHECK-LABEL: func.func @read_between
// CHECK-SAME:    (%[[S:.*]]: memref<8xf32> {tfmbs.state = "s"}, %[[X:.*]]: memref<2xf32>, %[[N:.*]]: memref<i64>, %[[T:.*]]: memref<8xf32> {tfmbs.state = "t"})
// CHECK:         %[[A:.*]] = memref.alloc() : memref<2xf32>
// CHECK:         scf.for
// CHECK:           linalg.generic {{.*}} ins(%[[X]] : memref<2xf32>) outs(%[[A]] : memref<2xf32>)
// CHECK:             math.sqrt
// CHECK:           %[[V:.*]] = memref.subview %[[T]]
// CHECK:           linalg.generic {{.*}} ins(%[[A]] : memref<2xf32>) outs(%[[V]] :
// CHECK:             math.absf
// CHECK:           %[[U:.*]] = memref.subview %[[S]]
// CHECK:           linalg.generic {{.*}} ins(%[[A]] : memref<2xf32>) outs(%[[U]] :
#one = affine_map<(i) -> (i)>
func.func @read_between(%s: tensor<8xf32> {tfmbs.state = "s"}, %x: tensor<2xf32>, %n: tensor<i64>, %t: tensor<8xf32> {tfmbs.state = "t"}) -> (tensor<8xf32> {tfmbs.state = "s"}, tensor<8xf32> {tfmbs.state = "t"}) {
  %c0 = arith.constant 0 : index
  %c2 = arith.constant 2 : index
  %e = tensor.empty() : tensor<2xf32>
  %count = tensor.extract %n[] : tensor<i64>
  %end = arith.index_cast %count : i64 to index
  %0:2 = scf.for %i = %c0 to %end step %c2 iter_args(%p = %s, %q = %t) -> (tensor<8xf32>, tensor<8xf32>) {
    %a = linalg.generic {indexing_maps = [#one, #one], iterator_types = ["parallel"]} ins(%x : tensor<2xf32>) outs(%e : tensor<2xf32>) {
    ^bb0(%v: f32, %o: f32):
      %2 = math.sqrt %v : f32
      linalg.yield %2 : f32
    } -> tensor<2xf32>
    %b = linalg.generic {indexing_maps = [#one, #one], iterator_types = ["parallel"]} ins(%a : tensor<2xf32>) outs(%e : tensor<2xf32>) {
    ^bb0(%v: f32, %o: f32):
      %2 = math.absf %v : f32
      linalg.yield %2 : f32
    } -> tensor<2xf32>
    %1 = tensor.insert_slice %b into %q[%i] [2] [1] : tensor<2xf32> into tensor<8xf32>
    %2 = tensor.insert_slice %a into %p[%i] [2] [1] : tensor<2xf32> into tensor<8xf32>
    scf.yield %2, %1 : tensor<8xf32>, tensor<8xf32>
  }
  return %0#0, %0#1 : tensor<8xf32>, tensor<8xf32>
}
