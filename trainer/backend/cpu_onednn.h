/* cpu_onednn.h - oneDNN 2.6 and 3.x seen alike.
 *
 * 3.0 made memory descriptors opaque and dropped operation descriptors. */
#ifndef S3SAMPLE_BACKEND_CPU_ONEDNN_H
#define S3SAMPLE_BACKEND_CPU_ONEDNN_H

#include <oneapi/dnnl/dnnl.h>

#include "backend/backend.h"

#if DNNL_VERSION_MAJOR >= 3
typedef const_dnnl_memory_desc_t onednn_md;
#else
typedef const dnnl_memory_desc_t *onednn_md;
#endif

/* The primitive descriptor of one direction of a convolution, whose operands may have
 * any layout. forward is NULL or, for the two ways back, the one of the way there. */
dnnl_status_t onednn_conv(dnnl_engine_t engine, dnnl_prop_kind_t direction,
                          const struct conv_shape *s, const_dnnl_primitive_desc_t forward,
                          dnnl_primitive_desc_t *ret);

/* A memory object without a buffer, for a dense array in C order. */
dnnl_status_t onednn_plain(dnnl_engine_t engine, const dnnl_dims_t dims, dnnl_memory_t *ret);

/* One for what a primitive wants; its size in bytes. NULL if plain's layout is that already. */
dnnl_status_t onednn_wanted(dnnl_engine_t engine, const_dnnl_primitive_desc_t pd, dnnl_query_t what,
                            dnnl_memory_t plain, dnnl_memory_t *ret, size_t *ret_size);

/* Copies from one layout into the other. */
dnnl_status_t onednn_reorder(dnnl_engine_t engine, dnnl_memory_t from, dnnl_memory_t to,
                             dnnl_primitive_t *ret);

#endif
