/**
 * The gRPC edge: the page service for computes and the management service, over grpc-netty.
 * Requests are validated here and nowhere below; {@link dev.varve.server.grpc.GrpcStatus} is the
 * one place that turns errors into statuses.
 */
@NullMarked
package dev.varve.server.grpc;

import org.jspecify.annotations.NullMarked;
