// RUN: not tfmbs-opt %s --tfmbs-assign-memory=target=none 2>&1 | filecheck %s --check-prefix TARGET
// RUN: not tfmbs-opt %s --tfmbs-assign-memory 2>&1 | filecheck %s

// TARGET: error: --target: target, expected one of kpu-16x16, {{.*}}, got 'none'

// CHECK: refused.mlir:{{[0-9]+}}: bytes of scratch, expected at most 4294967296, got 8589953152
func.func @too_much(%x: memref<1x1xf32>) {
  %a = memref.alloc() : memref<46341x46341xf32>
  %b = memref.reinterpret_cast %a to offset: [0], sizes: [1, 1], strides: [1, 1] : memref<46341x46341xf32> to memref<1x1xf32>
  "tfmbs.kernel_copy"(%x, %b) : (memref<1x1xf32>, memref<1x1xf32>) -> ()
  return
}
