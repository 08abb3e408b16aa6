/* SPDX-License-Identifier: Apache-2.0 */
/*
 * calc.c - the service menu's calculator, by recursive descent. Release 3 knows more functions.
 */
#include "board.h"

#include "app.h"

#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define DEPTH_MAX 24 /* brackets within each other */

struct calc {
    const char *at;
    unsigned depth;
    int failed;
};

static const struct {
    const char *name;
    double (*of)(double);
} functions[] = {
    {"sin", sin},      {"cos", cos},     {"tan", tan},     {"asin", asin}, {"acos", acos}, {"atan", atan},
    {"exp", exp},      {"log", log},     {"sqrt", sqrt},   {"cbrt", cbrt}, {"sinh", sinh}, {"cosh", cosh},
    {"tanh", tanh},    {"log10", log10}, {"round", round}, {"abs", fabs},
#if FIRMWARE_RELEASE >= 3
    {"gamma", tgamma}, {"erf", erf},
#endif
};

static double calc_sum(struct calc *c);

static void calc_skip(struct calc *c)
{
    while (isspace((unsigned char)*c->at)) {
        c->at++;
    }
}

static double calc_call(struct calc *c)
{
    size_t len = 0;
    while (isalnum((unsigned char)c->at[len])) {
        len++;
    }
    for (size_t i = 0; i < sizeof functions / sizeof functions[0]; i++) {
        if (strlen(functions[i].name) == len && strncmp(functions[i].name, c->at, len) == 0 && c->at[len] == '(') {
            c->at += len + 1;
            const double argument = calc_sum(c);
            c->failed |= *c->at != ')';
            c->at += *c->at == ')';
            return functions[i].of(argument);
        }
    }
    c->failed = 1;
    return 0;
}

static double calc_atom(struct calc *c)
{
    calc_skip(c);
    if (*c->at == '-') {
        c->at++;
        return -calc_atom(c);
    }
    if (*c->at == '(') {
        c->at++;
        const double value = calc_sum(c);
        c->failed |= *c->at != ')';
        c->at += *c->at == ')';
        return value;
    }
    if (isalpha((unsigned char)*c->at)) {
        return calc_call(c);
    }
    char *end = NULL;
    const double value = strtod(c->at, &end);
    c->failed |= end == c->at;
    c->at = end;
    return value;
}

static double calc_power(struct calc *c)
{
    const double base = calc_atom(c);
    calc_skip(c);
    if (*c->at != '^') {
        return base;
    }
    c->at++;
    return pow(base, calc_power(c));
}

static double calc_product(struct calc *c)
{
    double value = calc_power(c);
    for (calc_skip(c); *c->at == '*' || *c->at == '/' || *c->at == '%'; calc_skip(c)) {
        const char op = *c->at++;
        const double right = calc_power(c);
        value = op == '*' ? value * right : op == '/' ? value / right : fmod(value, right);
    }
    return value;
}

static double calc_sum(struct calc *c)
{
    if (c->failed || ++c->depth > DEPTH_MAX) {
        c->failed = 1;
        return 0;
    }
    double value = calc_product(c);
    for (calc_skip(c); *c->at == '+' || *c->at == '-'; calc_skip(c)) {
        const char op = *c->at++;
        const double right = calc_product(c);
        value = op == '+' ? value + right : value - right;
    }
    c->depth--;
    return value;
}

int calc_value(const char *expression, double *value)
{
    struct calc c = {expression, 0, 0};
    const double result = calc_sum(&c);
    calc_skip(&c);
    if (c.failed || *c.at != '\0' || !isfinite(result)) {
        return -1;
    }
    *value = result;
    return 0;
}
