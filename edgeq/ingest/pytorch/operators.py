"""The operators that a .pt2 may name: arithmetic on tensors, and nothing that opens, maps, writes, prints or sets anything.

What is not listed is refused by its name before torch loads the program. `aten.from_file` maps any file of the user and, with
`shared`, writes what is written into the tensor; `set_` gives a tensor another's memory; others set the seed, the threads or
autocast of the process. Overloads of one operator do the same on other types, so a packet is listed once; an operator that
works in place ("relu_") writes into a tensor that the program made, and counts as the one without the underscore.
"""

import re

_ATEN = """
    _adaptive_avg_pool2d _adaptive_avg_pool3d _assert_async _assert_scalar _assert_tensor_metadata _batch_norm_impl_index
    _batch_norm_no_update _batch_norm_with_update _batch_norm_with_update_functional _cdist_forward _conj _conj_copy
    _conj_physical _convolution _convolution_mode _ctc_loss _embedding_bag _embedding_bag_forward_only _euclidean_dist
    _fft_c2c _fft_c2r _fft_r2c _fused_rms_norm _local_scalar_dense _log_softmax _logcumsumexp _masked_softmax
    _native_batch_norm_legit _native_batch_norm_legit_functional _native_batch_norm_legit_no_training
    _native_multi_head_attention _neg_view _neg_view_copy _pack_padded_sequence _pad_circular _pad_enum
    _pad_packed_sequence _pdist_forward _prelu_kernel _safe_softmax _scaled_dot_product_attention_math
    _scaled_dot_product_flash_attention_for_cpu _shape_as_tensor _softmax _stack _to_copy _transformer_encoder_layer_fwd
    _trilinear _unique _unique2 _unsafe_index _unsafe_index_put _unsafe_masked_index _unsafe_view
    _upsample_bicubic2d_aa _upsample_bilinear2d_aa _upsample_nearest_exact1d _upsample_nearest_exact2d
    _upsample_nearest_exact3d _weight_norm _weight_norm_interface
    __and__ __iand__ __ior__ __ixor__ __lshift__ __or__ __rshift__ __xor__
    abs absolute acos acosh adaptive_avg_pool1d adaptive_avg_pool2d adaptive_avg_pool3d adaptive_max_pool1d
    adaptive_max_pool2d adaptive_max_pool3d add addbmm addcdiv addcmul addmm addmv addr adjoint affine_grid_generator alias
    alias_copy all alpha_dropout amax amin aminmax angle any arange arccos arccosh arcsin arcsinh arctan arctan2 arctanh
    argmax argmin argsort argwhere as_strided as_strided_copy as_strided_scatter asin asinh atan atan2 atanh atleast_1d
    atleast_2d atleast_3d avg_pool1d avg_pool2d avg_pool3d
    baddbmm bartlett_window batch_norm bernoulli bilinear bincount bitwise_and bitwise_left_shift bitwise_not bitwise_or
    bitwise_right_shift bitwise_xor blackman_window block_diag bmm broadcast_tensors broadcast_to bucketize
    cartesian_prod cat cdist ceil celu chain_matmul channel_shuffle cholesky chunk clamp clamp_max clamp_min clip clone
    col2im column_stack combinations complex concat concatenate conj conj_physical constant_pad_nd contiguous conv1d conv2d
    conv3d conv_depthwise3d conv_tbc conv_transpose1d conv_transpose2d conv_transpose3d convolution copy copysign corrcoef
    cos cosh cosine_similarity count_nonzero cov cross cross_entropy_loss ctc_loss cummax cummin cumprod cumsum
    cumulative_trapezoid
    deg2rad det detach detach_copy diag diag_embed diagflat diagonal diagonal_copy diagonal_scatter diff digamma dist div
    divide dot dropout dsplit dstack
    einsum elu embedding embedding_bag embedding_renorm empty empty_like empty_permuted empty_strided eq equal erf erfc
    erfinv exp exp2 expand expand_as expand_copy expm1 exponential eye
    fake_quantize_per_channel_affine fake_quantize_per_channel_affine_cachemask fake_quantize_per_tensor_affine
    fake_quantize_per_tensor_affine_cachemask feature_alpha_dropout feature_dropout fft_fft fft_fft2 fft_fftfreq fft_fftn
    fft_fftshift fft_hfft fft_ifft fft_ifft2 fft_ifftn fft_ifftshift fft_ihfft fft_irfft fft_irfft2 fft_irfftn fft_rfft
    fft_rfft2 fft_rfftfreq fft_rfftn fill fill_diagonal fix flatten flip fliplr flipud float_power floor floor_divide fmax
    fmin fmod frac fractional_max_pool2d fractional_max_pool3d frexp frobenius_norm full full_like
    gather gcd ge gelu ger glu greater greater_equal grid_sampler grid_sampler_2d grid_sampler_3d group_norm gru gru_cell gt
    hamming_window hann_window hardshrink hardsigmoid hardswish hardtanh heaviside histc hsplit hstack huber_loss hypot
    i0 igamma igammac im2col imag index index_add index_copy index_fill index_put index_reduce index_select inner
    instance_norm inverse is_complex is_floating_point is_nonzero isclose isfinite isin isinf isnan isneginf isposinf isreal
    istft item
    kaiser_window kl_div kron kthvalue l1_loss layer_norm lcm ldexp le leaky_relu lerp less less_equal lgamma lift
    lift_fresh lift_fresh_copy linalg_cholesky linalg_cholesky_ex linalg_cross linalg_det linalg_diagonal linalg_eigh
    linalg_eigvalsh linalg_householder_product linalg_inv linalg_inv_ex linalg_lu linalg_lu_factor linalg_lu_solve
    linalg_matmul linalg_matrix_exp linalg_matrix_norm linalg_matrix_power linalg_matrix_rank linalg_multi_dot linalg_norm
    linalg_pinv linalg_qr linalg_slogdet linalg_solve linalg_solve_triangular linalg_svd linalg_svdvals linalg_vander
    linalg_vecdot linalg_vector_norm linear linspace log log10 log1p log2 log_sigmoid log_sigmoid_forward log_softmax
    logaddexp logaddexp2 logcumsumexp logdet logical_and logical_not logical_or logical_xor logit logspace logsumexp lstm
    lstm_cell lt
    mH mT masked_fill masked_scatter masked_select matmul matrix_H matrix_exp matrix_power max max_pool1d
    max_pool1d_with_indices max_pool2d max_pool2d_with_indices max_pool3d max_pool3d_with_indices max_unpool2d
    max_unpool3d maximum mean median meshgrid min minimum mish mm mode moveaxis movedim mse_loss msort mul multinomial
    multiply mv
    nan_to_num nanmean nanmedian nanquantile nansum narrow narrow_copy native_batch_norm native_channel_shuffle
    native_dropout native_group_norm native_layer_norm native_norm ne neg negative new_empty new_empty_strided new_full
    new_ones new_zeros nextafter nll_loss nll_loss_forward nonzero nonzero_numpy nonzero_static norm normal
    normal_functional not_equal nuclear_norm numel numpy_T
    one_hot ones ones_like outer
    pad pad_sequence pairwise_distance pdist permute permute_copy pixel_shuffle pixel_unshuffle poisson polar polygamma
    positive pow prelu prod put
    quantile rad2deg rand rand_like randint randint_like randn randn_like randperm ravel real reciprocal reflection_pad1d
    reflection_pad2d reflection_pad3d relu relu6 remainder renorm repeat repeat_interleave replication_pad1d
    replication_pad2d replication_pad3d reshape reshape_as resolve_conj resolve_neg rms_norm rnn_relu rnn_relu_cell
    rnn_tanh rnn_tanh_cell roll rot90 round row_stack rrelu rsqrt rsub
    scalar_tensor scaled_dot_product_attention scatter scatter_add scatter_reduce searchsorted select select_copy
    select_scatter selu sgn sigmoid sign signbit silu sin sinc sinh size slice slice_copy slice_scatter slogdet
    slow_conv3d slow_conv_dilated2d slow_conv_dilated3d slow_conv_transpose2d slow_conv_transpose3d smooth_l1_loss
    softmax softplus softshrink sort special_digamma special_entr special_erf special_erfc special_erfinv special_exp2
    special_expit special_expm1 special_gammaln special_i0 special_log1p special_log_softmax special_logit
    special_logsumexp special_multigammaln special_ndtr special_ndtri special_psi special_round special_sinc
    special_softmax special_xlogy special_zeta split split_copy split_with_sizes split_with_sizes_copy sqrt square squeeze
    squeeze_copy stack std std_mean stft sub subtract sum sum_to_size svd swapaxes swapdims sym_constrain_range
    sym_constrain_range_for_size sym_is_contiguous sym_numel sym_size sym_storage_offset sym_stride
    t t_copy take take_along_dim tan tanh tensor_split tensordot thnn_conv2d threshold tile to topk trace transpose
    transpose_copy trapezoid tril tril_indices triu triu_indices true_divide trunc type_as
    unbind unbind_copy unflatten unfold unfold_copy uniform unique_consecutive unique_dim unsafe_chunk unsafe_split
    unsafe_split_with_sizes unsqueeze unsqueeze_copy upsample_bicubic2d upsample_bilinear2d upsample_linear1d
    upsample_nearest1d upsample_nearest2d upsample_nearest3d upsample_trilinear3d
    vander var var_mean vdot view view_as view_as_complex view_as_complex_copy view_as_real view_as_real_copy view_copy
    vsplit vstack where xlogy zero zeros zeros_like
"""
_PRIMS = """
    abs acos acosh add amax amin asin asinh atan atan2 atanh bitwise_and bitwise_not bitwise_or bitwise_xor broadcast_in_dim cat
    cbrt ceil clone collapse collapse_view conj conj_physical convert_element_type cos cosh digamma div eq erf erf_inv erfc exp
    exp2 expm1 fft_c2c fft_c2r fft_r2c fill floor fmax fmin fmod gcd ge gt hypot igamma imag iota isfinite le lgamma
    log log10 log1p log2 lt maximum maximum_value minimum minimum_value mul ne neg pow prod real reciprocal remainder reshape
    rev round rsqrt scalar_tensor shift_left shift_right_arithmetic sign signbit sin sinh split_dim
    sqrt squeeze sub sum svd tan tanh transpose trunc var view_of where
"""
# Branches, loops and regions, whose own nodes stand in the same archive and are looked at there.
_WITH_GRAPHS = "cond while_loop scan map_impl associative_scan wrap_with_set_grad_enabled wrap_with_autocast"
_ON_SIZES = "abs add and_ eq floordiv ge getitem gt index invert le lt lshift mod mul ne neg not_ or_ pos pow rshift sub truediv"
_SYMBOLS = "sym_float sym_int sym_ite sym_max sym_min sym_not sym_sqrt sym_sum"
_MATH = "ceil floor trunc sqrt"

ALLOWED = {
    "torch.ops.aten": frozenset(_ATEN.split()),
    "torch.ops.prims": frozenset(_PRIMS.split()),
    "torch.ops.higher_order": frozenset(_WITH_GRAPHS.split()),
    "_operator": frozenset(_ON_SIZES.split()),
    "torch": frozenset(_SYMBOLS.split()),
    "math": frozenset(_MATH.split()),
}
_NAMED = re.compile(r"(torch\.ops\.\w+|torch|_operator|math)\.(\w+)((?:\.\w+)?)")


def is_allowed(target: str) -> bool:
    """`target` as torch writes it: "torch.ops.aten.add.Tensor", "torch.ops.higher_order.cond", "_operator.getitem"."""
    found = _NAMED.fullmatch(target)
    if found is None:
        return False
    place, name, overload = found.groups()
    if overload and place not in ("torch.ops.aten", "torch.ops.prims"):
        return False
    known = ALLOWED.get(place, frozenset())
    return name in known or (place == "torch.ops.aten" and name.endswith("_") and name[:-1] in known)
