"""The reference decoder: a Llama or BitNet b1.58 transformer as a graph, from named weights, without torch or onnx."""
