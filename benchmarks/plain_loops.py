"""Training iterations of papers with PyTorch alone, with which ours are compared.

Each loop follows its paper and released code directly: upsampled maps are kept from the segmentation loss for the
discriminator, regions and classes are Python loops, and a teacher is averaged parameter by parameter. Networks are
those of an adaptor, whose training code does not run. So both variants compute the same.
"""

from collections.abc import Callable, Iterable

import torch
import torch.nn.functional as F
from alignment import Plain as RegionAlignment
from contrastive import Plain as ExpandedContrast
from torch import Tensor, nn

IGNORED = 255
SOURCE, TARGET = 0.0, 1.0


class Loop:
    """One iteration of a method. :meth:`iterate` back-propagates, and returns its losses under the names of our log.

    Args:
        model: An adaptor. Its networks are trained; its training code is not run.
        dtype: Type of autocast; None for float32.
    """

    optimizer: Callable[..., torch.optim.Optimizer] = staticmethod(
        lambda parameters: torch.optim.SGD(parameters, lr=2.5e-4, momentum=0.9, weight_decay=5e-4)
    )

    def __init__(self, model: nn.Module, dtype: torch.dtype | None = None) -> None:
        self.model, self.net, self.dtype = model, model.segmentor, dtype
        self.critics = {
            name: child for name, child in model.named_children() if name in ('discriminator', 'aux_discriminator')
        }
        self.optimizers = [self.optimizer([p for p in self.net.parameters() if p.requires_grad])]
        self.optimizers += [
            torch.optim.Adam(critic.parameters(), lr=1e-4, betas=(0.9, 0.99)) for critic in self.critics.values()
        ]

    def step(self, batch: dict) -> dict[str, Tensor]:
        """Train with a preprocessed batch, and return the losses."""
        for optimizer in self.optimizers:
            optimizer.zero_grad()
        x_s, x_t = (batch[domain]['inputs'] for domain in ('source', 'target'))
        y_s, y_t = (labels_of(batch[domain]['data_samples']) for domain in ('source', 'target'))
        with torch.autocast(x_s.device.type, self.dtype, enabled=self.dtype is not None):
            losses = self.iterate(x_s, y_s, x_t, y_t)
        for optimizer in self.optimizers:
            optimizer.step()
        self.after_step()
        return {name: loss.detach() for name, loss in losses.items()}

    def backward(self, losses: dict[str, Tensor]) -> dict[str, Tensor]:
        """Add the gradients of the weighted sum of losses, and return the losses."""
        weights = self.model.loss_weights
        sum(weights.get(name.removeprefix('loss_'), 1.0) * loss for name, loss in losses.items()).backward()
        return losses

    def iterate(self, x_s: Tensor, y_s: Tensor, x_t: Tensor, y_t: Tensor | None) -> dict[str, Tensor]:
        """Add the gradients of an iteration, and return its losses.

        Args:
            x_s: Source images, (N, 3, H, W).
            y_s: Their labels, (N, H, W).
            x_t: Target images, (N, 3, H, W).
            y_t: Their pseudo labels, (N, H, W), for methods that use them.
        """
        raise NotImplementedError

    def after_step(self) -> None:
        """Finish an iteration after the step of the optimizers."""

    def forward(self, images: Tensor):
        return self.net(images, mode='outputs')

    def upsample(self, logits: Tensor, size: Iterable[int]) -> Tensor:
        return F.interpolate(logits.float(), size=tuple(size), mode='bilinear', align_corners=self.net.align_corners)

    def maps(self, images: Tensor) -> dict[str, Tensor]:
        logits = self.forward(images).logits
        return {level: self.upsample(one, images.shape[-2:]) for level, one in logits.items()}

    def supervise(self, maps: dict[str, Tensor], labels: Tensor) -> dict[str, Tensor]:
        return {f'loss_seg_{level}': F.cross_entropy(one, labels, ignore_index=IGNORED) for level, one in maps.items()}


def labels_of(samples: list) -> Tensor | None:
    """Return the label maps (N, H, W) of samples, or None if the first has none."""
    return torch.cat([one.gt_sem_seg.data for one in samples]) if 'gt_sem_seg' in samples[0] else None


class AdvEnt(Loop):
    """AdvEnt (Vu et al., CVPR 2019)."""

    def iterate(self, x_s: Tensor, y_s: Tensor, x_t: Tensor, y_t: Tensor | None) -> dict[str, Tensor]:
        for critic in self.critics.values():
            critic.requires_grad_(False)
        source, losses = self.learn_source(x_s, y_s)
        target, more = self.learn_target(x_t)
        losses |= more
        for critic in self.critics.values():
            critic.requires_grad_(True)
        for level, critic in self.levels().items():
            for name, maps, domain in (('source', source, SOURCE), ('target', target, TARGET)):
                loss = self.judge(critic, maps[level].detach(), domain) / 2
                loss.backward()
                losses[f'loss_dis_{level}_{name}'] = loss
        return losses

    def learn_source(self, images: Tensor, labels: Tensor) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        maps = self.maps(images)
        return maps, self.backward(self.supervise(maps, labels))

    def learn_target(self, images: Tensor) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        maps = self.maps(images)
        return maps, self.backward(self.fool(maps))

    def fool(self, maps: dict[str, Tensor]) -> dict[str, Tensor]:
        return {f'loss_adv_{level}': self.judge(critic, maps[level], SOURCE) for level, critic in self.levels().items()}

    def levels(self) -> dict[str, nn.Module]:
        return {'aux' if name.startswith('aux') else 'main': critic for name, critic in self.critics.items()}

    def judge(self, critic: nn.Module, logits: Tensor, domain: float) -> Tensor:
        score = critic(self.seen(logits)).float()
        return F.binary_cross_entropy_with_logits(score, torch.full_like(score, domain))

    def seen(self, logits: Tensor) -> Tensor:
        p = logits.softmax(dim=1)
        return -p * torch.log2(p + 1e-30) / torch.log2(torch.tensor(float(logits.shape[1])))


class SIM(AdvEnt):
    """Wang et al., CVPR 2020, first phase, and the pseudo labels of the second."""

    def __init__(self, model: nn.Module, dtype: torch.dtype | None = None) -> None:
        super().__init__(model, dtype)
        self.alignment = RegionAlignment(model.feature_channels, head=model.decode_head)
        # The memories are full, as after a few thousand iterations.
        self.alignment.stuff, self.alignment.things = (
            memory.entries.clone() for memory in (model.stuff_memory, model.thing_memory)
        )

    def learn_source(self, images: Tensor, labels: Tensor) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        outputs = self.forward(images)
        maps = {'main': self.upsample(outputs.logits['main'], images.shape[-2:])}
        losses = self.supervise(maps, labels)
        predicted, features = outputs.logits['main'].argmax(dim=1), self.features(outputs)
        small = F.interpolate(labels[:, None].float(), size=predicted.shape[-2:], mode='nearest')[:, 0].long()
        small[small != predicted] = IGNORED
        for n in range(len(images)):
            self.alignment.remember(features[n : n + 1].detach(), small[n : n + 1])
        return maps, self.backward(losses)

    def learn_target(self, images: Tensor) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        outputs = self.forward(images)
        maps = {'main': self.upsample(outputs.logits['main'], images.shape[-2:])}
        predicted, features = outputs.logits['main'].argmax(dim=1), self.features(outputs).float()
        losses = self.fool(maps)
        found = [self.alignment.losses(features[n : n + 1], predicted[n : n + 1]) for n in range(len(images))]
        for name, parts in zip(('stuff', 'ins'), zip(*found, strict=True), strict=True):
            losses[f'loss_{name}'] = torch.stack(parts).mean()
        return maps, self.backward(losses)

    def features(self, outputs) -> Tensor:
        return outputs.features[self.model.decode_head.in_index]

    def seen(self, logits: Tensor) -> Tensor:
        return logits.softmax(dim=1)


class SDCA(Loop):
    """SDCA (Li et al., 2021), the stage `adapt`."""

    def __init__(self, model: nn.Module, dtype: torch.dtype | None = None) -> None:
        super().__init__(model, dtype)
        device = next(model.parameters()).device
        self.feature, self.output = (
            ExpandedContrast(width, device) for width in (model.feature_channels, model.num_classes)
        )

    def iterate(self, x_s: Tensor, y_s: Tensor, x_t: Tensor, y_t: Tensor | None) -> dict[str, Tensor]:
        outputs = self.forward(x_s)
        features, logits = outputs.features[self.model.decode_head.in_index].float(), outputs.logits['main'].float()
        small = F.interpolate(y_s[:, None].float(), size=logits.shape[-2:], mode='nearest')[:, 0].long()
        self.feature.update(features, small)
        self.output.update(logits, small)
        whole = self.upsample(logits, x_s.shape[-2:])
        losses = self.supervise(dict(main=whole), y_s)
        losses['loss_lov_main'] = lovasz(whole, y_s)
        losses = self.backward(losses | self.contrast(features, logits, small, 'source'))
        del outputs, features, logits, whole

        outputs = self.forward(x_t)
        features, logits = outputs.features[self.model.decode_head.in_index].float(), outputs.logits['main'].float()
        confidence, labels = logits.softmax(dim=1).max(dim=1)
        labels[confidence < self.model.delta] = IGNORED
        return losses | self.backward(self.contrast(features, logits, labels, 'target'))

    def contrast(self, features: Tensor, logits: Tensor, labels: Tensor, domain: str) -> dict[str, Tensor]:
        return {
            f'loss_feat_{domain}': self.feature.loss(features, labels),
            f'loss_out_{domain}': self.output.loss(logits, labels),
        }


def lovasz(logits: Tensor, labels: Tensor) -> Tensor:
    """Return the Lovász-softmax loss, computed class by class (Berman et al., CVPR 2018, algorithm 1)."""
    valid = labels.flatten() != IGNORED
    probabilities = logits.softmax(dim=1).permute(0, 2, 3, 1).reshape(-1, logits.shape[1])[valid]
    labels, losses = labels.flatten()[valid], []
    for c in range(logits.shape[1]):
        members = (labels == c).float()
        if members.sum() == 0:
            continue
        errors, order = (members - probabilities[:, c]).abs().sort(descending=True)
        members = members[order]
        jaccard = 1 - (members.sum() - members.cumsum(0)) / (members.sum() + (1 - members).cumsum(0))
        losses.append(errors @ torch.cat([jaccard[:1], jaccard[1:] - jaccard[:-1]]))
    return torch.stack(losses).mean()


class FADA(Loop):
    """FADA (Wang, Shen, Zhang, Duan and Mei, ECCV 2020), the adversarial stage."""

    def iterate(self, x_s: Tensor, y_s: Tensor, x_t: Tensor, y_t: Tensor | None) -> dict[str, Tensor]:
        critic = self.critics['discriminator']
        f_s, z_s = self.tempered(x_s)
        losses = self.backward({'loss_seg_main': F.cross_entropy(z_s, y_s, ignore_index=IGNORED)})
        p_s = self.soft(z_s)
        f_t, z_t = self.tempered(x_t)
        p_t = self.soft(z_t)
        soft = torch.cat([p_t, torch.zeros_like(p_t)], dim=1)
        losses |= self.backward({'loss_adv': self.cross_entropy(critic, f_t, soft)})
        critic.zero_grad()
        for name, features, halves in (
            ('source', f_s, (p_s, torch.zeros_like(p_s))),
            ('target', f_t, (torch.zeros_like(p_t), p_t)),
        ):
            loss = 0.5 * self.cross_entropy(critic, features.detach(), torch.cat(halves, dim=1))
            loss.backward()
            losses[f'loss_dis_{name}'] = loss
        return losses

    def tempered(self, images: Tensor) -> tuple[Tensor, Tensor]:
        outputs = self.forward(images)
        logits = self.upsample(outputs.logits['main'], images.shape[-2:]) / self.model.temperature
        return outputs.features[self.model.decode_head.in_index], logits

    def soft(self, logits: Tensor) -> Tensor:
        return logits.detach().softmax(dim=1).clamp(max=self.model.clip)

    def cross_entropy(self, critic: nn.Module, features: Tensor, soft: Tensor) -> Tensor:
        scores = self.upsample(critic(features), soft.shape[-2:])
        return -(soft * scores.log_softmax(dim=1)).sum(dim=1).mean()


class CBST(Loop):
    """CBST (Zou et al., ECCV 2018): training on labels of the source and pseudo labels of the target together."""

    def iterate(self, x_s: Tensor, y_s: Tensor, x_t: Tensor, y_t: Tensor | None) -> dict[str, Tensor]:
        labels = torch.cat([y_s, y_t])
        logits = self.forward(torch.cat([x_s, x_t])).logits['main']
        if logits.shape[-2:] != labels.shape[-2:]:
            logits = self.upsample(logits, labels.shape[-2:])
        return self.backward({'loss_seg_main': F.cross_entropy(logits.float(), labels, ignore_index=IGNORED)})


class DACS(Loop):
    """DACS (Tranheden et al., WACV 2021): two losses, one backward pass, classes found by ``unique``.

    Colours are changed in HSV image by image. Blur is a convolution with the whole kernel. Random numbers are those of
    the adaptor.
    """

    def __init__(self, model: nn.Module, dtype: torch.dtype | None = None) -> None:
        from mmuda.models.teachers import RandomStream

        super().__init__(model, dtype)
        self.teacher = model.teacher  # not a copy, whose original would leave freed memory for the steps
        self.teacher.segmentor.load_state_dict(self.net.state_dict())
        del model.teacher
        self.stream, self.augmentation, self.iteration = RandomStream('mix', seed=0), model.augmentation, 0
        self.mean, self.std = model.pixel_statistics()

    def iterate(self, x_s: Tensor, y_s: Tensor, x_t: Tensor, y_t: Tensor | None) -> dict[str, Tensor]:
        if self.model.teacher_update == 'before_forward':
            self.update()
        losses = self.source_losses(x_s, y_s)
        with torch.no_grad():
            logits = self.upsample(self.teacher.segmentor(x_t, mode='outputs').logits['main'], x_t.shape[-2:])
            confidence, y_t = logits.softmax(dim=1).max(dim=1)
            share = (confidence >= self.model.threshold).float().mean().item()
            x_m, y_m, w_m = self.mix(x_s, y_s, x_t, y_t, torch.full(y_t.shape, share, device=y_t.device))
        mixed = self.upsample(self.forward(x_m).logits['main'], x_m.shape[-2:])
        loss = F.cross_entropy(mixed, y_m, ignore_index=IGNORED, reduction='none')
        return self.backward(losses | {'loss_mix_main': (loss * w_m).mean()})

    def source_losses(self, images: Tensor, labels: Tensor) -> dict[str, Tensor]:
        return self.supervise(dict(main=self.maps(images)['main']), labels)

    def after_step(self) -> None:
        if self.model.teacher_update == 'after_step':
            self.update()

    @torch.no_grad()
    def update(self) -> None:
        decay = min(1 - 1 / (self.iteration + 1), self.teacher.decay)
        for ours, theirs in zip(self.teacher.segmentor.parameters(), self.net.parameters(), strict=True):
            ours.copy_(decay * ours + (1 - decay) * theirs)
        self.iteration += 1

    def mix(self, x_s: Tensor, y_s: Tensor, x_t: Tensor, y_t: Tensor, weight: Tensor) -> tuple[Tensor, ...]:
        from mmuda.models.teachers import draw_class_keys

        generator = self.stream.advance()
        keys = draw_class_keys(generator, len(y_s)).to(y_s.device)
        draws = self.augmentation.draw(generator, len(y_s))
        images, labels, weights = [], [], []
        for n in range(len(y_s)):
            classes = (y_s if self.model.classes_of == 'batch' else y_s[n]).unique()
            chosen = classes[keys[n, classes].argsort()][: (len(classes) + 1) // 2]
            mask = (y_s[n] == chosen[:, None, None]).sum(dim=0)
            image = mask * x_s[n] + (1 - mask) * x_t[n]
            if draws.jitter is not None:
                image = (
                    self.jitter((image * self.std + self.mean) / 255, n, draws.jitter) * 255 - self.mean
                ) / self.std
            images.append(image if draws.sigma is None else self.blur(image, draws.sigma[n].item()))
            labels.append(mask * y_s[n] + (1 - mask) * y_t[n])
            weights.append(mask * 1.0 + (1 - mask) * weight[n])
        return torch.stack(images), torch.stack(labels), torch.stack(weights)

    @classmethod
    def jitter(cls, image: Tensor, n: int, factors) -> Tensor:
        brightness, contrast, saturation, turn = (
            values[n].item() for values in (factors.brightness, factors.contrast, factors.saturation, factors.hue)
        )
        operations = (
            lambda x: (x + brightness - 1).clamp(0, 1),
            lambda x: (x * contrast).clamp(0, 1),
            lambda x: cls.through_hsv(x, lambda h, s, v: (h, (s * saturation).clamp(0, 1), v)),
            lambda x: cls.through_hsv(x, lambda h, s, v: ((h + turn) % 1, s, v)),
        )
        for operation in factors.order[n].tolist():
            image = operations[operation](image)
        return image

    @staticmethod
    def through_hsv(image: Tensor, change: Callable) -> Tensor:
        value, first = image.max(dim=0)
        spread = value - image.min(dim=0).values
        safe = torch.where(spread == 0, torch.ones_like(spread), spread)
        red, green, blue = image
        hue = torch.stack([(green - blue) / safe, (blue - red) / safe + 2, (red - green) / safe + 4])
        hue = (hue.gather(0, first[None])[0] / 6) % 1
        hue, saturation, value = change(hue, spread / (value + 1e-6), value)
        sextant = (6 * hue).floor()
        rest = 6 * hue - sextant
        p, q, t = value * (1 - saturation), value * (1 - rest * saturation), value * (1 - (1 - rest) * saturation)
        triples = [(value, t, p), (q, value, p), (p, value, t), (p, q, value), (t, p, value), (value, p, q)]
        choices = torch.stack([torch.stack(channel) for channel in zip(*triples, strict=True)])  # (3, 6, H, W)
        return choices.gather(1, (sextant.long() % 6).expand(3, 1, *value.shape))[:, 0]

    @staticmethod
    def blur(image: Tensor, sigma: float) -> Tensor:
        from mmuda.models.teachers.gaussian_blur import kernel_size

        for axis in (-1, -2):
            radius = kernel_size(image.shape[axis]) // 2
            weights = torch.arange(-radius, radius + 1, device=image.device)
            weights = (-(weights**2) / (2 * sigma**2)).exp()
            kernel = (weights / weights.sum()).view((1, 1, 1, -1) if axis == -1 else (1, 1, -1, 1))
            padding = (radius, radius, 0, 0) if axis == -1 else (0, 0, radius, radius)
            image = F.conv2d(F.pad(image[:, None], padding, mode='reflect'), kernel)[:, 0]
        return image


class DAFormer(DACS):
    """DAFormer (Hoyer et al., CVPR 2022): a slower teacher, and features that stay close to those of ImageNet."""

    optimizer = staticmethod(lambda parameters: torch.optim.AdamW(parameters, lr=6e-5, weight_decay=0.01))

    def source_losses(self, images: Tensor, labels: Tensor) -> dict[str, Tensor]:
        outputs = self.forward(images)
        whole = self.upsample(outputs.logits['main'], images.shape[-2:])
        loss = F.cross_entropy(whole, labels, ignore_index=IGNORED, reduction='none').mean()
        losses = {'loss_seg_main': loss}
        if self.model.loss_weights['distance']:
            features = outputs.features[-1]
            with torch.no_grad():
                reference = self.model.imagenet.segmentor(images, mode='features').features[-1]
                factor = images.shape[-1] // features.shape[-1]
                members = F.one_hot(labels.masked_fill(labels == IGNORED, self.model.num_classes))
                shares = F.avg_pool2d(members.permute(0, 3, 1, 2).float(), factor)
                most, cells = shares[:, : self.model.num_classes].max(dim=1)
                mask = self.model.things[cells] & (most >= self.model.distance_ratio)
            distances = (features.float() - reference.float()).norm(dim=1)[mask]
            losses['loss_distance'] = distances.mean()
        return losses


LOOPS: dict[str, type[Loop]] = dict(
    advent=AdvEnt, cbst=CBST, sim=SIM, sdca=SDCA, fada=FADA, dacs=DACS, daformer=DAFormer
)
