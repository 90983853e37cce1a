# R's answers on effects along a number: splines::ns in glm and lm, errors by the delta method, Wald tests.
#
#   Rscript smooth.R [folder]
#
# reads smooth_people.csv beside it and writes smooth_answers.csv, with 17 digits, and smooth_versions.csv. Needs sandwich and
# clubSandwich.

suppressPackageStartupMessages({library(splines); library(sandwich); library(clubSandwich)})

arguments <- commandArgs(trailingOnly = TRUE)
folder <- if (length(arguments)) arguments[1] else "."
digits <- function(x) ifelse(is.na(x), "", formatC(x, digits = 17, format = "g", width = 1))
d <- read.csv(file.path(folder, "smooth_people.csv"))
d$ips <- as.integer(d$arm == "ips")
grid <- seq(20, 55, by = 5)
answers <- list()

tell <- function(case, measure, value, estimate, se, df, ratio) {
  quantile <- if (is.finite(df[1])) qt(0.975, df) else qnorm(0.975)
  back <- if (ratio) exp else identity
  answers[[length(answers) + 1]] <<- data.frame(case = case, measure = measure, value = value, estimate = back(estimate),
    std_error = se, conf_low = back(estimate - quantile * se), conf_high = back(estimate + quantile * se),
    p_value = if (is.finite(df[1])) 2 * pt(-abs(estimate / se), df) else 2 * pnorm(-abs(estimate / se)), statistic = NA)
}
wald <- function(case, measure, effect, v, df = Inf) {
  w <- drop(effect %*% solve(v, effect))
  k <- length(effect)
  answers[[length(answers) + 1]] <<- data.frame(case = case, measure = measure, value = NA, estimate = NA, std_error = NA,
    conf_low = NA, conf_high = NA,
    p_value = if (is.finite(df)) pf(w / k, k, df, lower.tail = FALSE) else pchisq(w, k, lower.tail = FALSE), statistic = w)
}

# everybody in one arm and with one age
as_if <- function(arm, age) {
  d$ips <- arm
  d$age <- age
  d
}
# means of both arms at an age over everybody's covariates, and their gradients in the coefficients
means <- function(fit, age) {
  lapply(c(1, 0), function(arm) {
    x <- model.matrix(delete.response(terms(fit)), as_if(arm, age))
    eta <- drop(x %*% coef(fit))
    if (inherits(fit, "glm")) list(m = mean(plogis(eta)), g = colMeans(dlogis(eta) * x)) else list(m = mean(eta), g = colMeans(x))
  })
}
effect <- function(fit, age, scale) {
  both <- means(fit, age)
  a <- both[[1]]; b <- both[[2]]
  switch(scale,
    risk_difference = , mean_difference = list(e = a$m - b$m, g = a$g - b$g),
    risk_ratio = , mean_ratio = list(e = log(a$m / b$m), g = a$g / a$m - b$g / b$m),
    odds_ratio = list(e = qlogis(a$m) - qlogis(b$m), g = a$g / (a$m * (1 - a$m)) - b$g / (b$m * (1 - b$m))),
    conditional_odds_ratio = {
      x <- model.matrix(delete.response(terms(fit)), as_if(1, age))[1, ] - model.matrix(delete.response(terms(fit)), as_if(0, age))[1, ]
      list(e = sum(x * coef(fit)), g = x)
    })
}
ratio <- function(scale) grepl("ratio", scale)

curve <- function(case, fit, scale, v, df = Inf, tests = TRUE) {
  for (age in grid) {
    found <- effect(fit, age, scale)
    tell(case, scale, age, found$e, sqrt(drop(found$g %*% v %*% found$g)), df, ratio(scale))
  }
  if (!tests) return(invisible())
  # the curve's value at as many ages as a curve with a constant has degrees of freedom, differences to the first of them
  k <- sum(grepl("^ns.*:ips$|^ips:ns", names(coef(fit))))
  at <- quantile(d$age[d$age >= max(tapply(d$age, d$ips, min)) & d$age <= min(tapply(d$age, d$ips, max))], (0:k + 0.5) / (k + 1))
  found <- lapply(at, function(age) effect(fit, age, scale))
  e <- sapply(found, `[[`, "e"); g <- t(sapply(found, `[[`, "g"))
  l <- cbind(-1, diag(k))
  wald(case, "interaction_test", drop(l %*% e), l %*% g %*% v %*% t(g) %*% t(l), df)
  # second divided differences: none along a straight line
  s <- matrix(0, k - 1, k + 1)
  for (i in seq_len(k - 1)) {
    h <- diff(at[i:(i + 2)])
    s[i, i:(i + 2)] <- c(1 / h[1], -1 / h[1] - 1 / h[2], 1 / h[2])
  }
  wald(case, "nonlinearity_test", drop(s %*% e), s %*% g %*% v %*% t(g) %*% t(s), df)
}
# the tests as one would ask them of the coefficients: all products of spline and arm; all of them but the straight line's
products <- function(case, fit, v, suffix, basis, df = Inf) {
  own <- grepl(":", names(coef(fit)))
  wald(case, paste0("interaction_test", suffix), coef(fit)[own], v[own, own], df)
  line <- coef(lm(d$age ~ basis))[-1]
  l <- t(qr.Q(qr(cbind(line)), complete = TRUE)[, -1, drop = FALSE])
  wald(case, paste0("nonlinearity_test", suffix), drop(l %*% coef(fit)[own]), l %*% v[own, own] %*% t(l), df)
}

three <- ns(d$age, df = 3)
ends <- range(d$age)
exact <- glm.control(epsilon = 1e-14, maxit = 100)
plain <- glm(works ~ ns(age, knots = attr(three, "knots"), Boundary.knots = ends) * ips, binomial, d, control = exact)
for (scale in c("risk_difference", "risk_ratio", "odds_ratio")) curve(paste("plain", scale), plain, scale, vcov(plain))
products("plain risk_difference", plain, vcov(plain), "_odds_ratio", three)
stopifnot(isTRUE(all.equal(unname(fitted(plain)), unname(fitted(glm(works ~ ns(age, df = 3) * ips, binomial, d, control = exact))),
                           tolerance = 1e-12)))

own <- glm(works ~ ns(age, knots = c(28, 45), Boundary.knots = ends) * ips, binomial, d, control = exact)
curve("own knots", own, "risk_difference", vcov(own))

adjusted <- glm(works ~ ns(age, knots = attr(three, "knots"), Boundary.knots = ends) * ips + sex + score, binomial, d, control = exact)
for (scale in c("risk_difference", "odds_ratio", "conditional_odds_ratio")) {
  curve(paste("adjusted", scale), adjusted, scale, vcov(adjusted))
}
products("adjusted risk_difference", adjusted, vcov(adjusted), "_conditional_odds_ratio", three)

hours <- lm(hours ~ ns(age, knots = attr(three, "knots"), Boundary.knots = ends) * ips + sex, d)
left <- hours$df.residual
for (scale in c("mean_difference", "mean_ratio")) {
  curve(paste("hours model", scale), hours, scale, vcov(hours), left)
  curve(paste("hours robust", scale), hours, scale, vcovHC(hours, type = "HC2"), left)
}
line <- lm(hours ~ age * ips, d)
curve("hours line", line, "mean_difference", vcov(line), line$df.residual, tests = FALSE)
wald("hours line", "interaction_test", coef(line)["age:ips"], vcov(line)["age:ips", "age:ips", drop = FALSE], line$df.residual)

curve("wards", plain, "risk_difference", vcovCL(plain, cluster = d$ward, type = "HC1"))
curve("hours wards", hours, "mean_difference", vcovCL(hours, cluster = d$ward, type = "HC1"))

# few clusters: errors and degrees of freedom of combinations by clubSandwich
few <- function(case, fit, scale, cluster) {
  v <- vcovCR(fit, cluster = cluster, type = "CR2")
  for (age in grid) {
    found <- effect(fit, age, scale)
    told <- linear_contrast(fit, v, contrasts = matrix(found$g, nrow = 1))
    tell(case, scale, age, found$e, told$SE, told$df, ratio(scale))
  }
}
few("regions", plain, "risk_difference", d$region)
few("hours regions", hours, "mean_difference", d$region)

# months: a linear model for each month on those observed, effects added up, each person's contributions together
basis <- model.matrix(~ ns(age, knots = attr(three, "knots"), Boundary.knots = ends) * ips, d)
total <- 0
parts <- 0
for (m in 1:6) {
  y <- d[[paste0("m", m)]]
  seen <- !is.na(y)
  x <- basis[seen, ]
  bread <- solve(crossprod(x))
  b <- drop(bread %*% crossprod(x, y[seen]))
  total <- total + b
  inside <- matrix(0, nrow(d), ncol(x))
  inside[seen, ] <- ((y[seen] - drop(x %*% b)) / sqrt(1 - rowSums((x %*% bread) * x)) * x) %*% bread
  parts <- parts + inside
}
gradient <- function(age) {
  drop(model.matrix(~ ns(age, knots = attr(three, "knots"), Boundary.knots = ends) * ips, as_if(1, age))[1, ] -
         model.matrix(~ ns(age, knots = attr(three, "knots"), Boundary.knots = ends) * ips, as_if(0, age))[1, ])
}
for (age in grid) {
  g <- gradient(age)
  tell("months", "mean_difference", age, sum(g * total), sqrt(sum((parts %*% g)^2)), nrow(d) - ncol(basis), FALSE)
}
own <- grepl(":", colnames(basis))
wald("months", "interaction_test", total[own], crossprod(parts[, own]), nrow(d) - ncol(basis))

long <- do.call(rbind, lapply(1:6, function(m) data.frame(y = d[[paste0("m", m)]], month = m, region = d$region, row = seq_len(nrow(d)))))
long <- long[!is.na(long$y), ]
wide <- matrix(0, nrow(long), 6 * ncol(basis))
for (m in 1:6) wide[long$month == m, (m - 1) * ncol(basis) + seq_len(ncol(basis))] <- basis[long$row[long$month == m], ]
stacked <- lm(long$y ~ 0 + wide)
v <- vcovCR(stacked, cluster = long$region, type = "CR2")
for (age in grid) {
  g <- rep(gradient(age), 6)
  told <- linear_contrast(stacked, v, contrasts = matrix(g, nrow = 1))
  tell("months regions", "mean_difference", age, sum(g * coef(stacked)), told$SE, told$df, FALSE)
}

answers <- do.call(rbind, answers)
for (column in names(answers)) if (is.double(answers[[column]])) answers[[column]] <- digits(answers[[column]])
write.csv(answers, file.path(folder, "smooth_answers.csv"), row.names = FALSE, quote = FALSE, na = "")
write.csv(data.frame(name = c("R", "sandwich", "clubSandwich"), version = c(as.character(getRversion()),
  as.character(packageVersion("sandwich")), as.character(packageVersion("clubSandwich")))),
  file.path(folder, "smooth_versions.csv"), row.names = FALSE, quote = FALSE)
