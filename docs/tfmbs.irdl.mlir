module {
  irdl.dialect @tfmbs {
    irdl.type @ternary {
      %0 = irdl.base "#builtin.string"
      irdl.parameters(packing: %0)
    }
    irdl.attribute @schedule {
      %0 = irdl.base "#builtin.string"
      %1 = irdl.base "#builtin.dense_array"
      %2 = irdl.base "#builtin.integer"
      %3 = irdl.base "#builtin.string"
      %4 = irdl.base "#builtin.string"
      %5 = irdl.base "#builtin.dense_array"
      irdl.parameters(dataflow: %0, tiles: %1, buffers: %2, tile_mask: %3, order: %4, block: %5)
    }
    irdl.operation @attention {
      %0 = irdl.any
      %1 = irdl.any
      %2 = irdl.any
      %3 = irdl.any
      irdl.operands(query: %0, key: %1, value: %2, mask: optional %3)
      %4 = irdl.base "#builtin.float"
      %5 = irdl.base "#builtin.string"
      %6 = irdl.base "#builtin.float"
      %7 = irdl.base "#builtin.integer"
      %8 = irdl.base "#builtin.integer"
      %9 = irdl.base "#builtin.integer"
      irdl.attributes {"scale" = %4, "mask_mode" = %5, "fill" = %6, "causal" = %7, "offset" = %8, "clear" = %9}
      %10 = irdl.any
      irdl.results(result: %10)
    }
    irdl.operation @group_matmul {
      %0 = irdl.any
      %1 = irdl.any
      %2 = irdl.any
      %3 = irdl.any
      %4 = irdl.any
      %5 = irdl.any
      %6 = irdl.any
      %7 = irdl.any
      %8 = irdl.any
      %9 = irdl.any
      %10 = irdl.any
      irdl.operands(lhs: %0, rhs: %1, scales: %2, epilogue_operands_0: optional %3, epilogue_operands_1: optional %4, epilogue_operands_2: optional %5, epilogue_operands_3: optional %6, epilogue_operands_4: optional %7, epilogue_operands_5: optional %8, epilogue_operands_6: optional %9, epilogue_operands_7: optional %10)
      %11 = irdl.base "#builtin.string"
      %12 = irdl.base "#builtin.array"
      irdl.attributes {"activations" = %11, "roles" = %12}
      %13 = irdl.any
      irdl.results(result: %13)
      %14 = irdl.region
      irdl.regions(epilogue: %14)
    }
    irdl.operation @lstm {
      %0 = irdl.any
      %1 = irdl.any
      %2 = irdl.any
      %3 = irdl.any
      %4 = irdl.any
      %5 = irdl.any
      %6 = irdl.any
      %7 = irdl.any
      %8 = irdl.any
      %9 = irdl.any
      %10 = irdl.any
      irdl.operands(input: %0, weights: %1, recurrent: %2, further_0: optional %3, further_1: optional %4, further_2: optional %5, further_3: optional %6, further_4: optional %7, further_5: optional %8, further_6: optional %9, further_7: optional %10)
      %11 = irdl.base "#builtin.string"
      %12 = irdl.base "#builtin.string"
      %13 = irdl.base "#builtin.array"
      %14 = irdl.base "#builtin.integer"
      irdl.attributes {"direction" = %11, "gates" = %12, "roles" = %13, "keep_cell" = %14}
      %15 = irdl.any
      irdl.results(result: %15)
    }
    irdl.operation @constant {
      %0 = irdl.any
      irdl.attributes {"value" = %0}
      %1 = irdl.any
      irdl.results(result: %1)
    }
    irdl.operation @matmul {
      %0 = irdl.any
      %1 = irdl.any
      %2 = irdl.any
      %3 = irdl.any
      %4 = irdl.any
      %5 = irdl.any
      %6 = irdl.any
      %7 = irdl.any
      %8 = irdl.any
      %9 = irdl.any
      irdl.operands(lhs: %0, rhs: %1, epilogue_operands_0: optional %2, epilogue_operands_1: optional %3, epilogue_operands_2: optional %4, epilogue_operands_3: optional %5, epilogue_operands_4: optional %6, epilogue_operands_5: optional %7, epilogue_operands_6: optional %8, epilogue_operands_7: optional %9)
      %10 = irdl.base "#builtin.array"
      irdl.attributes {"roles" = %10}
      %11 = irdl.any
      irdl.results(result: %11)
      %12 = irdl.region
      irdl.regions(epilogue: %12)
    }
    irdl.operation @gemv {
      %0 = irdl.any
      %1 = irdl.any
      %2 = irdl.any
      %3 = irdl.any
      %4 = irdl.any
      %5 = irdl.any
      %6 = irdl.any
      %7 = irdl.any
      %8 = irdl.any
      %9 = irdl.any
      irdl.operands(lhs: %0, rhs: %1, epilogue_operands_0: optional %2, epilogue_operands_1: optional %3, epilogue_operands_2: optional %4, epilogue_operands_3: optional %5, epilogue_operands_4: optional %6, epilogue_operands_5: optional %7, epilogue_operands_6: optional %8, epilogue_operands_7: optional %9)
      %10 = irdl.base "#builtin.array"
      irdl.attributes {"roles" = %10}
      %11 = irdl.any
      irdl.results(result: %11)
      %12 = irdl.region
      irdl.regions(epilogue: %12)
    }
    irdl.operation @fused_gemv {
      %0 = irdl.any
      %1 = irdl.any
      %2 = irdl.any
      %3 = irdl.any
      %4 = irdl.any
      %5 = irdl.any
      %6 = irdl.any
      %7 = irdl.any
      %8 = irdl.any
      irdl.operands(lhs: %0, others_0: optional %1, others_1: optional %2, others_2: optional %3, others_3: optional %4, others_4: optional %5, others_5: optional %6, others_6: optional %7, others_7: optional %8)
      %9 = irdl.base "#builtin.dense_array"
      %10 = irdl.base "#builtin.array"
      irdl.attributes {"orders" = %9, "roles" = %10}
      %11 = irdl.any
      %12 = irdl.any
      %13 = irdl.any
      %14 = irdl.any
      %15 = irdl.any
      %16 = irdl.any
      %17 = irdl.any
      %18 = irdl.any
      irdl.results(products_0: optional %11, products_1: optional %12, products_2: optional %13, products_3: optional %14, products_4: optional %15, products_5: optional %16, products_6: optional %17, products_7: optional %18)
      %19 = irdl.region
      irdl.regions(epilogue: %19)
    }
    irdl.operation @batch_matmul {
      %0 = irdl.any
      %1 = irdl.any
      %2 = irdl.any
      %3 = irdl.any
      %4 = irdl.any
      %5 = irdl.any
      %6 = irdl.any
      %7 = irdl.any
      %8 = irdl.any
      %9 = irdl.any
      irdl.operands(lhs: %0, rhs: %1, epilogue_operands_0: optional %2, epilogue_operands_1: optional %3, epilogue_operands_2: optional %4, epilogue_operands_3: optional %5, epilogue_operands_4: optional %6, epilogue_operands_5: optional %7, epilogue_operands_6: optional %8, epilogue_operands_7: optional %9)
      %10 = irdl.base "#builtin.string"
      %11 = irdl.base "#builtin.array"
      irdl.attributes {"rhs_layout" = %10, "roles" = %11}
      %12 = irdl.any
      irdl.results(result: %12)
      %13 = irdl.region
      irdl.regions(epilogue: %13)
    }
    irdl.operation @softmax {
      %0 = irdl.any
      irdl.operands(input: %0)
      %1 = irdl.base "#builtin.integer"
      irdl.attributes {"axis" = %1}
      %2 = irdl.any
      irdl.results(result: %2)
    }
    irdl.operation @layer_norm {
      %0 = irdl.any
      %1 = irdl.any
      %2 = irdl.any
      irdl.operands(input: %0, gamma: %1, beta: %2)
      %3 = irdl.base "#builtin.integer"
      %4 = irdl.base "#builtin.float"
      irdl.attributes {"axis" = %3, "epsilon" = %4}
      %5 = irdl.any
      irdl.results(result: %5)
    }
    irdl.operation @quantize {
      %0 = irdl.any
      irdl.operands(input: %0)
      %1 = irdl.any
      irdl.results(result: %1)
    }
    irdl.operation @dequantize {
      %0 = irdl.any
      %1 = irdl.any
      irdl.operands(input: %0, scale: optional %1)
      %2 = irdl.base "#builtin.integer"
      irdl.attributes {"axis" = %2}
      %3 = irdl.any
      irdl.results(result: %3)
    }
    irdl.operation @requantize {
      %0 = irdl.any
      %1 = irdl.any
      irdl.operands(input: %0, scale: %1)
      %2 = irdl.base "#builtin.integer"
      %3 = irdl.base "#builtin.integer"
      irdl.attributes {"axis" = %2, "low" = %3}
      %4 = irdl.any
      irdl.results(result: %4)
    }
    irdl.operation @pack {
      %0 = irdl.any
      irdl.operands(input: %0)
      %1 = irdl.any
      irdl.results(result: %1)
    }
    irdl.operation @unpack {
      %0 = irdl.any
      irdl.operands(input: %0)
      %1 = irdl.any
      irdl.results(result: %1)
    }
    irdl.operation @transfer {
      %0 = irdl.any
      irdl.operands(input: %0)
      %1 = irdl.base "#builtin.string"
      irdl.attributes {"to" = %1}
      %2 = irdl.any
      irdl.results(result: %2)
    }
    irdl.operation @conv2d {
      %0 = irdl.any
      %1 = irdl.any
      %2 = irdl.any
      %3 = irdl.any
      %4 = irdl.any
      %5 = irdl.any
      %6 = irdl.any
      %7 = irdl.any
      %8 = irdl.any
      %9 = irdl.any
      irdl.operands(input: %0, filter: %1, epilogue_operands_0: optional %2, epilogue_operands_1: optional %3, epilogue_operands_2: optional %4, epilogue_operands_3: optional %5, epilogue_operands_4: optional %6, epilogue_operands_5: optional %7, epilogue_operands_6: optional %8, epilogue_operands_7: optional %9)
      %10 = irdl.base "#builtin.dense_array"
      %11 = irdl.base "#builtin.dense_array"
      %12 = irdl.base "#builtin.dense_array"
      %13 = irdl.base "#builtin.integer"
      %14 = irdl.base "#builtin.array"
      irdl.attributes {"strides" = %10, "dilations" = %11, "pads" = %12, "groups" = %13, "roles" = %14}
      %15 = irdl.any
      irdl.results(result: %15)
      %16 = irdl.region
      irdl.regions(epilogue: %16)
    }
    irdl.operation @conv3d {
      %0 = irdl.any
      %1 = irdl.any
      %2 = irdl.any
      %3 = irdl.any
      %4 = irdl.any
      %5 = irdl.any
      %6 = irdl.any
      %7 = irdl.any
      %8 = irdl.any
      %9 = irdl.any
      irdl.operands(input: %0, filter: %1, epilogue_operands_0: optional %2, epilogue_operands_1: optional %3, epilogue_operands_2: optional %4, epilogue_operands_3: optional %5, epilogue_operands_4: optional %6, epilogue_operands_5: optional %7, epilogue_operands_6: optional %8, epilogue_operands_7: optional %9)
      %10 = irdl.base "#builtin.dense_array"
      %11 = irdl.base "#builtin.dense_array"
      %12 = irdl.base "#builtin.dense_array"
      %13 = irdl.base "#builtin.integer"
      %14 = irdl.base "#builtin.array"
      irdl.attributes {"strides" = %10, "dilations" = %11, "pads" = %12, "groups" = %13, "roles" = %14}
      %15 = irdl.any
      irdl.results(result: %15)
      %16 = irdl.region
      irdl.regions(epilogue: %16)
    }
    irdl.operation @pool {
      %0 = irdl.any
      irdl.operands(input: %0)
      %1 = irdl.base "#builtin.string"
      %2 = irdl.base "#builtin.dense_array"
      %3 = irdl.base "#builtin.dense_array"
      %4 = irdl.base "#builtin.dense_array"
      %5 = irdl.base "#builtin.dense_array"
      %6 = irdl.base "#builtin.integer"
      irdl.attributes {"kind" = %1, "kernel" = %2, "strides" = %3, "dilations" = %4, "pads" = %5, "count_include_pad" = %6}
      %7 = irdl.any
      irdl.results(result: %7)
    }
    irdl.operation @yield {
      %0 = irdl.any
      irdl.operands(value: %0)
    }
    irdl.operation @rsqrt {
      %0 = irdl.any
      irdl.operands(x: %0)
      %1 = irdl.any
      irdl.results(result: %1)
    }
    irdl.operation @exp {
      %0 = irdl.any
      irdl.operands(x: %0)
      %1 = irdl.any
      irdl.results(result: %1)
    }
    irdl.operation @log {
      %0 = irdl.any
      irdl.operands(x: %0)
      %1 = irdl.any
      irdl.results(result: %1)
    }
    irdl.operation @tanh {
      %0 = irdl.any
      irdl.operands(x: %0)
      %1 = irdl.any
      irdl.results(result: %1)
    }
    irdl.operation @erf {
      %0 = irdl.any
      irdl.operands(x: %0)
      %1 = irdl.any
      irdl.results(result: %1)
    }
    irdl.operation @sin {
      %0 = irdl.any
      irdl.operands(x: %0)
      %1 = irdl.any
      irdl.results(result: %1)
    }
    irdl.operation @cos {
      %0 = irdl.any
      irdl.operands(x: %0)
      %1 = irdl.any
      irdl.results(result: %1)
    }
    irdl.operation @pow {
      %0 = irdl.any
      %1 = irdl.any
      irdl.operands(x: %0, y: %1)
      %2 = irdl.any
      irdl.results(result: %2)
    }
    irdl.operation @sigmoid {
      %0 = irdl.any
      irdl.operands(x: %0)
      %1 = irdl.any
      irdl.results(result: %1)
    }
    irdl.operation @gelu {
      %0 = irdl.any
      irdl.operands(x: %0)
      %1 = irdl.any
      irdl.results(result: %1)
    }
    irdl.operation @kernel_constant {
      %0 = irdl.any
      %1 = irdl.base "#builtin.string"
      %2 = irdl.base "#builtin.dense_array"
      irdl.attributes {"value" = %0, "packing" = %1, "shape" = %2}
      %3 = irdl.any
      irdl.results(result: %3)
    }
    irdl.operation @kernel_gemm {
      %0 = irdl.any
      %1 = irdl.any
      %2 = irdl.any
      %3 = irdl.any
      %4 = irdl.any
      %5 = irdl.any
      %6 = irdl.any
      %7 = irdl.any
      %8 = irdl.any
      %9 = irdl.any
      %10 = irdl.any
      irdl.operands(lhs: %0, rhs: %1, out: %2, epilogue_operands_0: optional %3, epilogue_operands_1: optional %4, epilogue_operands_2: optional %5, epilogue_operands_3: optional %6, epilogue_operands_4: optional %7, epilogue_operands_5: optional %8, epilogue_operands_6: optional %9, epilogue_operands_7: optional %10)
      %11 = irdl.base "#builtin.string"
      %12 = irdl.base "#builtin.string"
      %13 = irdl.base "#builtin.integer"
      %14 = irdl.base "#builtin.array"
      irdl.attributes {"kind" = %11, "rhs_packing" = %12, "lhs_zero" = %13, "roles" = %14}
      %15 = irdl.region
      irdl.regions(epilogue: %15)
    }
    irdl.operation @kernel_copy {
      %0 = irdl.any
      %1 = irdl.any
      irdl.operands(input: %0, out: %1)
    }
    irdl.operation @kernel_attention {
      %0 = irdl.any
      %1 = irdl.any
      %2 = irdl.any
      %3 = irdl.any
      %4 = irdl.any
      irdl.operands(query: %0, key: %1, value: %2, out: %3, mask: optional %4)
      %5 = irdl.base "#builtin.float"
      %6 = irdl.base "#builtin.string"
      %7 = irdl.base "#builtin.float"
      %8 = irdl.base "#builtin.integer"
      %9 = irdl.base "#builtin.integer"
      %10 = irdl.base "#builtin.integer"
      irdl.attributes {"scale" = %5, "mask_mode" = %6, "fill" = %7, "causal" = %8, "offset" = %9, "clear" = %10}
    }
    irdl.operation @kernel_group_gemm {
      %0 = irdl.any
      %1 = irdl.any
      %2 = irdl.any
      %3 = irdl.any
      %4 = irdl.any
      %5 = irdl.any
      %6 = irdl.any
      %7 = irdl.any
      %8 = irdl.any
      %9 = irdl.any
      %10 = irdl.any
      %11 = irdl.any
      irdl.operands(lhs: %0, rhs: %1, scales: %2, out: %3, epilogue_operands_0: optional %4, epilogue_operands_1: optional %5, epilogue_operands_2: optional %6, epilogue_operands_3: optional %7, epilogue_operands_4: optional %8, epilogue_operands_5: optional %9, epilogue_operands_6: optional %10, epilogue_operands_7: optional %11)
      %12 = irdl.base "#builtin.string"
      %13 = irdl.base "#builtin.string"
      %14 = irdl.base "#builtin.integer"
      %15 = irdl.base "#builtin.array"
      irdl.attributes {"activations" = %12, "rhs_packing" = %13, "lhs_zero" = %14, "roles" = %15}
      %16 = irdl.region
      irdl.regions(epilogue: %16)
    }
    irdl.operation @kernel_lstm {
      %0 = irdl.any
      %1 = irdl.any
      %2 = irdl.any
      %3 = irdl.any
      %4 = irdl.any
      %5 = irdl.any
      %6 = irdl.any
      %7 = irdl.any
      %8 = irdl.any
      %9 = irdl.any
      %10 = irdl.any
      %11 = irdl.any
      irdl.operands(input: %0, weights: %1, recurrent: %2, out: %3, further_0: optional %4, further_1: optional %5, further_2: optional %6, further_3: optional %7, further_4: optional %8, further_5: optional %9, further_6: optional %10, further_7: optional %11)
      %12 = irdl.base "#builtin.string"
      %13 = irdl.base "#builtin.string"
      %14 = irdl.base "#builtin.array"
      %15 = irdl.base "#builtin.integer"
      irdl.attributes {"direction" = %12, "gates" = %13, "roles" = %14, "keep_cell" = %15}
    }
    irdl.operation @kernel_conv2d {
      %0 = irdl.any
      %1 = irdl.any
      %2 = irdl.any
      %3 = irdl.any
      %4 = irdl.any
      %5 = irdl.any
      %6 = irdl.any
      %7 = irdl.any
      %8 = irdl.any
      %9 = irdl.any
      %10 = irdl.any
      irdl.operands(input: %0, filter: %1, out: %2, epilogue_operands_0: optional %3, epilogue_operands_1: optional %4, epilogue_operands_2: optional %5, epilogue_operands_3: optional %6, epilogue_operands_4: optional %7, epilogue_operands_5: optional %8, epilogue_operands_6: optional %9, epilogue_operands_7: optional %10)
      %11 = irdl.base "#builtin.dense_array"
      %12 = irdl.base "#builtin.dense_array"
      %13 = irdl.base "#builtin.dense_array"
      %14 = irdl.base "#builtin.dense_array"
      %15 = irdl.base "#builtin.integer"
      %16 = irdl.base "#builtin.string"
      %17 = irdl.base "#builtin.integer"
      %18 = irdl.base "#builtin.array"
      irdl.attributes {"kernel" = %11, "strides" = %12, "dilations" = %13, "pads" = %14, "groups" = %15, "rhs_packing" = %16, "lhs_zero" = %17, "roles" = %18}
      %19 = irdl.region
      irdl.regions(epilogue: %19)
    }
    irdl.operation @kernel_conv3d {
      %0 = irdl.any
      %1 = irdl.any
      %2 = irdl.any
      %3 = irdl.any
      %4 = irdl.any
      %5 = irdl.any
      %6 = irdl.any
      %7 = irdl.any
      %8 = irdl.any
      %9 = irdl.any
      %10 = irdl.any
      irdl.operands(input: %0, filter: %1, out: %2, epilogue_operands_0: optional %3, epilogue_operands_1: optional %4, epilogue_operands_2: optional %5, epilogue_operands_3: optional %6, epilogue_operands_4: optional %7, epilogue_operands_5: optional %8, epilogue_operands_6: optional %9, epilogue_operands_7: optional %10)
      %11 = irdl.base "#builtin.dense_array"
      %12 = irdl.base "#builtin.dense_array"
      %13 = irdl.base "#builtin.dense_array"
      %14 = irdl.base "#builtin.dense_array"
      %15 = irdl.base "#builtin.integer"
      %16 = irdl.base "#builtin.string"
      %17 = irdl.base "#builtin.integer"
      %18 = irdl.base "#builtin.array"
      irdl.attributes {"kernel" = %11, "strides" = %12, "dilations" = %13, "pads" = %14, "groups" = %15, "rhs_packing" = %16, "lhs_zero" = %17, "roles" = %18}
      %19 = irdl.region
      irdl.regions(epilogue: %19)
    }
    irdl.operation @kernel_pool {
      %0 = irdl.any
      %1 = irdl.any
      irdl.operands(input: %0, out: %1)
      %2 = irdl.base "#builtin.string"
      %3 = irdl.base "#builtin.dense_array"
      %4 = irdl.base "#builtin.dense_array"
      %5 = irdl.base "#builtin.dense_array"
      %6 = irdl.base "#builtin.dense_array"
      irdl.attributes {"mode" = %2, "kernel" = %3, "strides" = %4, "dilations" = %5, "pads" = %6}
    }
    irdl.operation @kernel_program {
      %0 = irdl.region
      irdl.regions(body: %0)
    }
    irdl.operation @fabric_tensor {
      %0 = irdl.base "#builtin.string"
      %1 = irdl.base "#builtin.string"
      %2 = irdl.base "#builtin.string"
      %3 = irdl.base "#builtin.integer"
      %4 = irdl.base "#builtin.integer"
      %5 = irdl.base "#builtin.integer"
      %6 = irdl.base "#builtin.integer"
      %7 = irdl.base "#builtin.dense_array"
      %8 = irdl.base "#builtin.string"
      irdl.attributes {"region" = %0, "dtype" = %1, "packing" = %2, "rank" = %3, "slot" = %4, "offset" = %5, "bytes" = %6, "dims" = %7, "label" = %8}
    }
    irdl.operation @fabric_gemm_geometry {
      %0 = irdl.base "#builtin.integer"
      %1 = irdl.base "#builtin.integer"
      %2 = irdl.base "#builtin.integer"
      %3 = irdl.base "#builtin.integer"
      %4 = irdl.base "#builtin.integer"
      %5 = irdl.base "#builtin.integer"
      %6 = irdl.base "#builtin.integer"
      %7 = irdl.base "#builtin.integer"
      %8 = irdl.base "#builtin.integer"
      %9 = irdl.base "#builtin.integer"
      %10 = irdl.base "#builtin.integer"
      irdl.attributes {"batch" = %0, "m" = %1, "n" = %2, "k" = %3, "lhs_batch_stride" = %4, "lhs_m_stride" = %5, "lhs_k_stride" = %6, "rhs_batch_stride" = %7, "rhs_n_stride" = %8, "rhs_k_stride" = %9, "lhs_zero" = %10}
    }
    irdl.operation @fabric_window_geometry {
      %0 = irdl.base "#builtin.integer"
      %1 = irdl.base "#builtin.integer"
      %2 = irdl.base "#builtin.integer"
      %3 = irdl.base "#builtin.integer"
      %4 = irdl.base "#builtin.integer"
      %5 = irdl.base "#builtin.integer"
      %6 = irdl.base "#builtin.integer"
      %7 = irdl.base "#builtin.integer"
      %8 = irdl.base "#builtin.integer"
      %9 = irdl.base "#builtin.integer"
      %10 = irdl.base "#builtin.integer"
      %11 = irdl.base "#builtin.integer"
      %12 = irdl.base "#builtin.integer"
      %13 = irdl.base "#builtin.integer"
      %14 = irdl.base "#builtin.integer"
      %15 = irdl.base "#builtin.integer"
      %16 = irdl.base "#builtin.integer"
      %17 = irdl.base "#builtin.integer"
      %18 = irdl.base "#builtin.integer"
      %19 = irdl.base "#builtin.string"
      irdl.attributes {"batch" = %0, "in_channels" = %1, "in_height" = %2, "in_width" = %3, "out_channels" = %4, "out_height" = %5, "out_width" = %6, "kernel_height" = %7, "kernel_width" = %8, "stride_height" = %9, "stride_width" = %10, "dilation_height" = %11, "dilation_width" = %12, "pad_top" = %13, "pad_left" = %14, "pad_bottom" = %15, "pad_right" = %16, "groups" = %17, "lhs_zero" = %18, "mode" = %19}
    }
    irdl.operation @fabric_volume_geometry {
      %0 = irdl.base "#builtin.integer"
      %1 = irdl.base "#builtin.integer"
      %2 = irdl.base "#builtin.integer"
      %3 = irdl.base "#builtin.integer"
      %4 = irdl.base "#builtin.integer"
      %5 = irdl.base "#builtin.integer"
      %6 = irdl.base "#builtin.integer"
      %7 = irdl.base "#builtin.integer"
      %8 = irdl.base "#builtin.integer"
      %9 = irdl.base "#builtin.integer"
      %10 = irdl.base "#builtin.integer"
      %11 = irdl.base "#builtin.integer"
      %12 = irdl.base "#builtin.integer"
      %13 = irdl.base "#builtin.integer"
      %14 = irdl.base "#builtin.integer"
      %15 = irdl.base "#builtin.integer"
      %16 = irdl.base "#builtin.integer"
      %17 = irdl.base "#builtin.integer"
      %18 = irdl.base "#builtin.integer"
      %19 = irdl.base "#builtin.integer"
      %20 = irdl.base "#builtin.integer"
      %21 = irdl.base "#builtin.integer"
      %22 = irdl.base "#builtin.integer"
      irdl.attributes {"batch" = %0, "in_channels" = %1, "in_depth" = %2, "in_height" = %3, "in_width" = %4, "out_channels" = %5, "out_depth" = %6, "out_height" = %7, "out_width" = %8, "kernel_depth" = %9, "kernel_height" = %10, "kernel_width" = %11, "stride_depth" = %12, "stride_height" = %13, "stride_width" = %14, "dilation_depth" = %15, "dilation_height" = %16, "dilation_width" = %17, "pad_front" = %18, "pad_top" = %19, "pad_left" = %20, "groups" = %21, "lhs_zero" = %22}
    }
    irdl.operation @fabric_attention_geometry {
      %0 = irdl.base "#builtin.integer"
      %1 = irdl.base "#builtin.integer"
      %2 = irdl.base "#builtin.integer"
      %3 = irdl.base "#builtin.integer"
      %4 = irdl.base "#builtin.integer"
      %5 = irdl.base "#builtin.integer"
      %6 = irdl.base "#builtin.integer"
      %7 = irdl.base "#builtin.integer"
      %8 = irdl.base "#builtin.integer"
      %9 = irdl.base "#builtin.integer"
      %10 = irdl.base "#builtin.integer"
      %11 = irdl.base "#builtin.integer"
      %12 = irdl.base "#builtin.integer"
      %13 = irdl.base "#builtin.integer"
      %14 = irdl.base "#builtin.integer"
      %15 = irdl.base "#builtin.integer"
      %16 = irdl.base "#builtin.integer"
      %17 = irdl.base "#builtin.integer"
      %18 = irdl.base "#builtin.integer"
      %19 = irdl.base "#builtin.integer"
      %20 = irdl.base "#builtin.integer"
      %21 = irdl.base "#builtin.integer"
      %22 = irdl.base "#builtin.integer"
      %23 = irdl.base "#builtin.float"
      %24 = irdl.base "#builtin.float"
      %25 = irdl.base "#builtin.integer"
      %26 = irdl.base "#builtin.string"
      %27 = irdl.base "#builtin.integer"
      %28 = irdl.base "#builtin.integer"
      %29 = irdl.base "#builtin.integer"
      irdl.attributes {"batch" = %0, "groups" = %1, "shared" = %2, "rows" = %3, "columns" = %4, "width" = %5, "value_width" = %6, "lhs_batch_stride" = %7, "lhs_head_stride" = %8, "lhs_row_stride" = %9, "lhs_stride" = %10, "rhs_batch_stride" = %11, "rhs_group_stride" = %12, "rhs_row_stride" = %13, "rhs_stride" = %14, "value_batch_stride" = %15, "value_group_stride" = %16, "value_row_stride" = %17, "value_stride" = %18, "mask_batch_stride" = %19, "mask_head_stride" = %20, "mask_row_stride" = %21, "mask_column_stride" = %22, "scale" = %23, "fill" = %24, "offset" = %25, "mask" = %26, "causal" = %27, "clear" = %28, "out_by_rows" = %29}
    }
    irdl.operation @fabric_group_geometry {
      %0 = irdl.base "#builtin.integer"
      %1 = irdl.base "#builtin.integer"
      %2 = irdl.base "#builtin.integer"
      %3 = irdl.base "#builtin.integer"
      %4 = irdl.base "#builtin.integer"
      %5 = irdl.base "#builtin.integer"
      %6 = irdl.base "#builtin.integer"
      %7 = irdl.base "#builtin.integer"
      %8 = irdl.base "#builtin.string"
      irdl.attributes {"m" = %0, "n" = %1, "k" = %2, "group" = %3, "lhs_m_stride" = %4, "lhs_k_stride" = %5, "lhs_zero" = %6, "scales" = %7, "activations" = %8}
    }
    irdl.operation @fabric_lstm_geometry {
      %0 = irdl.base "#builtin.integer"
      %1 = irdl.base "#builtin.integer"
      %2 = irdl.base "#builtin.integer"
      %3 = irdl.base "#builtin.integer"
      %4 = irdl.base "#builtin.string"
      %5 = irdl.base "#builtin.string"
      %6 = irdl.base "#builtin.integer"
      %7 = irdl.base "#builtin.integer"
      %8 = irdl.base "#builtin.integer"
      %9 = irdl.base "#builtin.integer"
      irdl.attributes {"steps" = %0, "batch" = %1, "width" = %2, "hidden" = %3, "direction" = %4, "order" = %5, "bias" = %6, "recurrent_bias" = %7, "initial" = %8, "cell" = %9}
    }
    irdl.operation @fabric_schedule {
      %0 = irdl.base "#builtin.string"
      %1 = irdl.base "#builtin.integer"
      %2 = irdl.base "#builtin.string"
      %3 = irdl.base "#builtin.string"
      %4 = irdl.base "#builtin.integer"
      %5 = irdl.base "#builtin.integer"
      %6 = irdl.base "#builtin.integer"
      %7 = irdl.base "#builtin.integer"
      %8 = irdl.base "#builtin.integer"
      %9 = irdl.base "#builtin.integer"
      irdl.attributes {"dataflow" = %0, "buffers" = %1, "zero_skip" = %2, "order" = %3, "tile_m" = %4, "tile_n" = %5, "tile_k" = %6, "block_m" = %7, "block_n" = %8, "block_k" = %9}
    }
    irdl.operation @fabric_mask {
      %0 = irdl.base "#builtin.dense_array"
      irdl.attributes {"words" = %0}
    }
    irdl.operation @fabric_descriptor {
      %0 = irdl.base "#builtin.string"
      %1 = irdl.base "#builtin.integer"
      %2 = irdl.base "#builtin.integer"
      %3 = irdl.base "#builtin.integer"
      %4 = irdl.base "#builtin.integer"
      %5 = irdl.base "#builtin.integer"
      %6 = irdl.base "#builtin.integer"
      %7 = irdl.base "#builtin.integer"
      %8 = irdl.base "#builtin.integer"
      %9 = irdl.base "#builtin.integer"
      %10 = irdl.base "#builtin.integer"
      %11 = irdl.base "#builtin.integer"
      %12 = irdl.base "#builtin.integer"
      %13 = irdl.base "#builtin.integer"
      %14 = irdl.base "#builtin.string"
      irdl.attributes {"kind" = %0, "waits_count" = %1, "lhs" = %2, "rhs" = %3, "out" = %4, "geometry" = %5, "schedule" = %6, "mask" = %7, "program" = %8, "args_first" = %9, "args_count" = %10, "waits_first" = %11, "signal" = %12, "telemetry" = %13, "label" = %14}
    }
    irdl.operation @fabric_entry {
      %0 = irdl.base "#builtin.string"
      %1 = irdl.base "#builtin.integer"
      %2 = irdl.base "#builtin.integer"
      %3 = irdl.base "#builtin.integer"
      %4 = irdl.base "#builtin.integer"
      %5 = irdl.base "#builtin.integer"
      %6 = irdl.base "#builtin.integer"
      %7 = irdl.base "#builtin.integer"
      irdl.attributes {"label" = %0, "first_descriptor" = %1, "descriptor_count" = %2, "inputs_first" = %3, "inputs_count" = %4, "outputs_first" = %5, "outputs_count" = %6, "scratch_bytes" = %7}
    }
    irdl.operation @fabric_io {
      %0 = irdl.base "#builtin.string"
      %1 = irdl.base "#builtin.integer"
      %2 = irdl.base "#builtin.string"
      irdl.attributes {"label" = %0, "tensor" = %1, "meaning" = %2}
    }
    irdl.operation @fabric_state {
      %0 = irdl.base "#builtin.string"
      %1 = irdl.base "#builtin.integer"
      %2 = irdl.base "#builtin.integer"
      irdl.attributes {"label" = %0, "offset" = %1, "bytes" = %2}
    }
    irdl.operation @fabric_telemetry {
      %0 = irdl.base "#builtin.string"
      %1 = irdl.base "#builtin.integer"
      %2 = irdl.base "#builtin.integer"
      %3 = irdl.base "#builtin.integer"
      %4 = irdl.base "#builtin.float"
      %5 = irdl.base "#builtin.integer"
      %6 = irdl.base "#builtin.float"
      irdl.attributes {"layer" = %0, "mask" = %1, "zero_count" = %2, "total" = %3, "sparsity" = %4, "fusion_order" = %5, "fusion_sparsity" = %6}
    }
    irdl.operation @fabric_debug {
      %0 = irdl.base "#builtin.integer"
      %1 = irdl.base "#builtin.string"
      irdl.attributes {"descriptor" = %0, "source" = %1}
    }
    irdl.operation @fabric_origin {
      %0 = irdl.base "#builtin.integer"
      %1 = irdl.base "#builtin.string"
      %2 = irdl.base "#builtin.integer"
      %3 = irdl.base "#builtin.integer"
      %4 = irdl.base "#builtin.integer"
      irdl.attributes {"descriptor" = %0, "source" = %1, "first_word" = %2, "word_count" = %3, "slots" = %4}
    }
    irdl.operation @fabric_size {
      %0 = irdl.base "#builtin.integer"
      %1 = irdl.base "#builtin.string"
      %2 = irdl.base "#builtin.integer"
      %3 = irdl.base "#builtin.integer"
      irdl.attributes {"entry" = %0, "label" = %1, "low" = %2, "high" = %3}
    }
    irdl.operation @fabric_patch {
      %0 = irdl.base "#builtin.integer"
      %1 = irdl.base "#builtin.integer"
      %2 = irdl.base "#builtin.integer"
      %3 = irdl.base "#builtin.integer"
      %4 = irdl.base "#builtin.integer"
      %5 = irdl.base "#builtin.string"
      %6 = irdl.base "#builtin.string"
      %7 = irdl.base "#builtin.integer"
      %8 = irdl.base "#builtin.integer"
      %9 = irdl.base "#builtin.integer"
      irdl.attributes {"entry" = %0, "row" = %1, "first_term" = %2, "divisor" = %3, "term_count" = %4, "section" = %5, "reading" = %6, "at" = %7, "shift" = %8, "part" = %9}
    }
    irdl.operation @fabric_term {
      %0 = irdl.base "#builtin.integer"
      %1 = irdl.base "#builtin.dense_array"
      irdl.attributes {"coefficient" = %0, "degrees" = %1}
    }
    irdl.operation @fabric_semantics {
      %0 = irdl.base "#builtin.integer"
      %1 = irdl.base "#builtin.integer"
      %2 = irdl.base "#builtin.string"
      %3 = irdl.base "#builtin.string"
      %4 = irdl.base "#builtin.integer"
      %5 = irdl.base "#builtin.integer"
      irdl.attributes {"descriptor" = %0, "number" = %1, "phase" = %2, "pattern" = %3, "flops" = %4, "bytes" = %5}
    }
    irdl.operation @fabric_data {
      %0 = irdl.base "#builtin.string"
      %1 = irdl.base "#builtin.integer"
      %2 = irdl.any
      irdl.attributes {"label" = %0, "offset" = %1, "value" = %2}
    }
    irdl.operation @fabric_args {
      %0 = irdl.base "#builtin.dense_array"
      irdl.attributes {"values" = %0}
    }
    irdl.operation @fabric_waits {
      %0 = irdl.base "#builtin.dense_array"
      irdl.attributes {"values" = %0}
    }
    irdl.operation @fabric_siw
    irdl.operation @fabric_program {
      %0 = irdl.base "#builtin.string"
      %1 = irdl.base "#builtin.integer"
      %2 = irdl.base "#builtin.string"
      %3 = irdl.base "#builtin.integer"
      irdl.attributes {"kind" = %0, "windows" = %1, "label" = %2, "max_steps" = %3}
      %4 = irdl.region
      irdl.regions(words: %4)
    }
  }
}
